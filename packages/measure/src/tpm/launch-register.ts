import { DIGEST_BYTES, digestOf, extendAll, type HashAlgorithm } from "../bytes/digest.ts";
import { invalid } from "../bytes/input.ts";

/** The PCR into which the boot stage extends the launch document's digest: one that cannot be reset and that nothing else uses. */
export const LAUNCH_REGISTER = 15;
/** The SHA-256 of this text follows the digest, so that nothing can be added unseen. */
const CAP = "cmcp-launch-cap-v1";

/**
 * Value of the launch document's PCR: its SHA-256, then the cap, each with zeros up to the bank's length. Lowercase hex.
 * @param launchDigest SHA-256 of the document's bytes, 32 bytes
 */
export function launchRegister(bank: HashAlgorithm, launchDigest: Uint8Array): string {
  if (launchDigest.length !== 32) throw invalid("launch digest", "has not 32 bytes");
  const padded = (digest: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(DIGEST_BYTES[bank]);
    bytes.set(digest);
    return bytes;
  };
  return extendAll(bank, [padded(launchDigest), padded(digestOf("sha256", Buffer.from(CAP, "latin1")))]);
}
