import { webcrypto } from "node:crypto";
import { bytesEqual, CmcpError, isZero } from "@cmcp/boundary";
import { BANKS, LAUNCH_REGISTER, launchExtensions, launchRegisterValue, type Bank } from "@cmcp/appraise/evidence";
import { allocatedBanks } from "./capability.ts";
import { extendPcr, readPcrs } from "./pcr.ts";
import type { Tpm } from "./tpm.ts";

/** What became of {@link measureLaunch}: the register was extended now, or held this very launch already. */
export type LaunchMeasurement = "extended" | "already there";

/**
 * Extends the launch digest and the cap into {@link LAUNCH_REGISTER}, in every bank of the SHA-2 family. A process
 * that is started again on the same machine with the same document finds its own value there and changes nothing.
 *
 * @param launchDigest SHA-256 of the launch document, 32 bytes.
 * @throws CmcpError `LAUNCH_DIGEST_MISMATCH` when the register holds anything else; only a restart of the machine
 * resets it.
 */
export async function measureLaunch(tpm: Tpm, launchDigest: Uint8Array): Promise<LaunchMeasurement> {
  const allocated = await allocatedBanks(tpm);
  const banks = (["sha256", "sha384", "sha512"] as const).filter((bank) => allocated.includes(BANKS[bank].id));
  if (!banks.includes("sha256"))
    throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "the TPM keeps no SHA-256 registers");
  const values = await Promise.all(banks.map(async (bank) => await launchRegister(tpm, bank)));
  const expected = await Promise.all(
    banks.map(async (bank) => await launchRegisterValue(webcrypto, bank, launchDigest)),
  );
  if (values.every((value, index) => bytesEqual(value, expected[index] ?? new Uint8Array()))) return "already there";
  if (!values.every((value) => isZero(value)))
    throw new CmcpError(
      "LAUNCH_DIGEST_MISMATCH",
      `PCR ${LAUNCH_REGISTER} already carries another launch than this document's; restart the machine to launch it`,
    );
  for (const step of [0, 1] as const) {
    await extendPcr(
      tpm,
      LAUNCH_REGISTER,
      new Map(banks.map((bank) => [BANKS[bank].id, launchExtensions(bank, launchDigest)[step]])),
    );
  }
  return "extended";
}

async function launchRegister(tpm: Tpm, bank: Bank): Promise<Uint8Array> {
  return (
    (await readPcrs(tpm, { bank: BANKS[bank].id, registers: [LAUNCH_REGISTER] })).get(LAUNCH_REGISTER) ??
    new Uint8Array()
  );
}
