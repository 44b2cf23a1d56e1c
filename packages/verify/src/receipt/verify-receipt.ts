import type { VerifierCrypto } from "@cmcp/appraise";
import { receiptLeaf, type Receipt } from "@cmcp/audit/schema";
import { CmcpError } from "@cmcp/boundary";
import type { Checkpoint } from "@cmcp/log/format";
import { thumbprintOf } from "../log/instance-key.ts";
import { parsePresentReceipt } from "../parse.ts";
import { isInLog, readHead } from "./log-place.ts";

/** A receipt that an instance signed, and the head of its log that the receipt is under. */
export interface VerifiedReceipt {
  readonly receipt: Receipt;
  readonly head: Checkpoint;
}

/**
 * Verifies a receipt by itself, as its caller can when the answer arrives: that the instance decided it, and that the
 * instance's log has it.
 *
 * @param bytes JSON of the receipt; its sender chooses every byte
 * @param signingKey the instance's, base64url of 32 bytes, as {@link verifyInstance} gives it
 * @throws CmcpError `RECEIPT_MALFORMED`, `RECEIPT_INVALID`
 */
export async function verifyReceipt(
  bytes: Uint8Array,
  signingKey: string,
  crypto: VerifierCrypto,
): Promise<VerifiedReceipt> {
  const receipt = parsePresentReceipt(bytes);
  const jwk = { kty: "OKP", crv: "Ed25519", x: signingKey } as const;
  if (receipt.instance !== (await thumbprintOf(crypto, jwk)))
    throw new CmcpError("RECEIPT_INVALID", "the receipt is of another instance");
  const head = readHead(receipt.log.note);
  if (head === null || !(await isInLog(crypto, receiptLeaf(receipt), receipt.log, [jwk])))
    throw new CmcpError(
      "RECEIPT_INVALID",
      "the receipt was changed, or its instance did not sign the log that it names",
    );
  return { receipt, head: head.checkpoint };
}
