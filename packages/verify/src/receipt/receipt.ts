import { sha256, type VerifierCrypto } from "@cmcp/appraise";
import { receiptLeaf, treeSigningInput, type Receipt } from "@cmcp/audit/schema";
import { thumbprintInput, type SigningJwk } from "@cmcp/appraise/evidence";
import { fromBase64Url, toBase64Url } from "@cmcp/boundary";
import { leafInput, nodeInput, siblingSides } from "@cmcp/log/format";
import type { Checklist } from "../checklist.ts";
import { verifyEd25519 } from "../crypto.ts";
import type { SessionFacts } from "../session/session-facts.ts";

/** What a receipt is held to: key and session of its record, and the entries of it that were given. */
export interface ReceiptContext {
  readonly jwk: SigningJwk;
  readonly session: string;
  readonly entries: Pick<SessionFacts, "at"> | null;
}

/** What a receipt was found to be. */
export interface ReceiptFinding {
  /** Its signature is the instance's. */
  readonly signed: boolean;
  /** Number of entries, from the first on, that it covers besides: its own and, through the links, all before. */
  readonly covers: number;
}

/** One receipt: signed by the instance's key, of this session, and standing in the chain exactly where it says. */
export async function checkReceipt(
  crypto: VerifierCrypto,
  receipt: Receipt,
  context: ReceiptContext,
  list: Checklist,
): Promise<ReceiptFinding> {
  const name = `receipt ${receipt.sequence_number}`;
  const instance = toBase64Url(await sha256(crypto, thumbprintInput(context.jwk)));
  const signed = receipt.instance === instance && (await isSigned(crypto, receipt, context.jwk));
  if (
    !list.require(`${name} signature`, signed, "RECEIPT_INVALID", {
      passed: "signed by this instance",
      failed: "the receipt was changed or is of another instance",
    })
  )
    return { signed, covers: 0 };
  return { signed, covers: checkChainPosition(receipt, context, list) ? receipt.sequence_number + 1 : 0 };
}

/** The key signed the head of the tree that the receipt's path leads to (RFC 9162 section 2.1.3.2). */
async function isSigned(crypto: VerifierCrypto, receipt: Receipt, jwk: SigningJwk): Promise<boolean> {
  const { index, path, size, value } = receipt.signature;
  const sides = siblingSides(index, size, path.length);
  if (sides === undefined) return false;
  let head = await sha256(crypto, leafInput(receiptLeaf(receipt)));
  for (const [at, side] of sides.entries()) {
    const sibling = fromBase64Url(path[at] ?? "");
    if (sibling === undefined) return false;
    head = await sha256(crypto, side === "left" ? nodeInput(sibling, head) : nodeInput(head, sibling));
  }
  return await verifyEd25519(crypto, jwk.x, value, treeSigningInput(size, head));
}

/** A receipt is of this session and stands in the chain exactly where it says. */
export function checkChainPosition(receipt: Receipt, context: Omit<ReceiptContext, "jwk">, list: Checklist): boolean {
  const name = `receipt ${receipt.sequence_number}`;
  if (receipt.session_id !== context.session) {
    list.fail(name, "RECEIPT_INVALID", "the receipt is of another session");
    return false;
  }
  if (context.entries === null) {
    list.notPerformed(name, "its place in the chain needs the audit bundle (--audit-bundle)");
    return false;
  }
  const entry = context.entries.at(receipt.sequence_number);
  const stands =
    entry?.entry_hash === receipt.entry_hash &&
    entry.prev_entry_hash === receipt.prev_entry_hash &&
    entry.call_id === receipt.call_id &&
    entry.policy_decision === receipt.decision &&
    entry.detail?.["policy_hash"] === receipt.policy_hash;
  return list.require(name, stands, "CHAIN_BROKEN", {
    passed: `${receipt.decision}, at its place in the chain`,
    failed: "the chain does not hold what the receipt says: it was rolled back, forked or withheld",
  });
}
