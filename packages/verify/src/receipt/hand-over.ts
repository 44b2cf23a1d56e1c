import { sha256, type VerifierCrypto } from "@cmcp/appraise";
import type { SigningJwk } from "@cmcp/appraise/evidence";
import { handOverLeaf, MAX_RECORD_BYTES, type ProvenHandOver } from "@cmcp/audit/schema";
import { canonicalBytes, toHex } from "@cmcp/boundary";
import { thumbprintOf } from "../log/instance-key.ts";
import { isInLog } from "./log-place.ts";

/**
 * Whether the log of an instance that answers for another has that one's hand-over: the record of kind `hand-over` that
 * the key in it begins with. Nobody else's note counts, the other instance's own included.
 *
 * @param answering key of the instance that answers
 */
export async function isHandedOver(
  crypto: VerifierCrypto,
  { body, log }: ProvenHandOver,
  answering: SigningJwk,
): Promise<boolean> {
  const bytes = canonicalBytes(body);
  if (bytes.length > MAX_RECORD_BYTES) return false;
  const hash = `sha256:${toHex(await sha256(crypto, bytes))}`;
  return await isInLog(crypto, handOverLeaf(await thumbprintOf(crypto, body.jwk), hash), log, [answering]);
}
