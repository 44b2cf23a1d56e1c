import { CmcpError, fromHex } from "@cmcp/boundary";
import type { VerifierCrypto } from "../checks/crypto.ts";
import { BANKS, hash, type Bank } from "../event-log/hash-algorithm.ts";

/**
 * The PCR that carries the launch digest, because a TPM has no field that whoever starts a machine could put it
 * in. Registers 0 to 15 cannot be reset without a restart of the machine (TCG PC Client Platform TPM Profile,
 * section 4.6.2); firmware and boot loaders leave 15 alone.
 */
export const LAUNCH_REGISTER = 15;

/** SHA-256 of `cmcp-launch-cap-v1`: what is extended after the launch digest, so that nothing can be added unseen. */
const LAUNCH_CAP_HEX = "8f0573beb3a64ae5f4f7a2364476cd84115111bd6713e99f3faef7cd41aacbf3";

/**
 * What is extended into the register, in order: the launch digest, then the cap; each followed by zero bytes to the
 * length of the bank's digests.
 *
 * @param launchDigest SHA-256 of the launch document, 32 bytes; anything else throws `INTERNAL`.
 */
export function launchExtensions(bank: Bank, launchDigest: Uint8Array): readonly [Uint8Array, Uint8Array] {
  if (launchDigest.length !== 32) throw new CmcpError("INTERNAL", "a launch digest is 32 bytes");
  return [padded(bank, launchDigest), padded(bank, fromHex(LAUNCH_CAP_HEX) ?? new Uint8Array())];
}

/** The register's value in a bank once the launch digest and the cap were extended into it after a restart. */
export async function launchRegisterValue(
  crypto: VerifierCrypto,
  bank: Bank,
  launchDigest: Uint8Array,
): Promise<Uint8Array> {
  const [launch, cap] = launchExtensions(bank, launchDigest);
  const once = await hash(crypto, bank, new Uint8Array(BANKS[bank].size), launch);
  return await hash(crypto, bank, once, cap);
}

function padded(bank: Bank, digest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BANKS[bank].size);
  bytes.set(digest);
  return bytes;
}
