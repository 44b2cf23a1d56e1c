import { sha256, type VerifierCrypto } from "@cmcp/appraise";
import type { SigningJwk } from "@cmcp/appraise/evidence";
import {
  AGENT_MANIFEST,
  RECEIPT_V2,
  receiptLeaf,
  receiptV2Leaf,
  treeSigningInput,
  type AnyReceipt,
  type AuditEntry,
  type ReceiptV2,
} from "@cmcp/audit/schema";
import { fromBase64Url, toBase64Url } from "@cmcp/boundary";
import { leafInput, nodeInput, siblingSides } from "@cmcp/log/format";
import type { Checklist } from "../checklist.ts";
import { canBeEd25519, verifyEd25519 } from "../crypto.ts";
import type { SessionFacts } from "../session/session-facts.ts";
import { thumbprintOf } from "../log/instance-key.ts";
import { isInLog, readHead } from "./log-place.ts";

/** What a receipt is held to: key and session of its record, and the entries of it that were given. */
export interface ReceiptContext {
  /** Key of the instance that decided. */
  readonly jwk: SigningJwk;
  /** Key of an instance that answers for it: notes of its log count as well. */
  readonly answering?: SigningJwk;
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

/**
 * One receipt: of this instance, under its key or that of the one that answers, of this session, and standing in the
 * chain exactly where it says.
 */
export async function checkReceipt(
  crypto: VerifierCrypto,
  receipt: AnyReceipt,
  context: ReceiptContext,
  list: Checklist,
): Promise<ReceiptFinding> {
  const name = `receipt ${receipt.sequence_number}`;
  const signed =
    receipt.instance === (await thumbprintOf(crypto, context.jwk)) && (await isSigned(crypto, receipt, context));
  if (
    !list.require(`${name} signature`, signed, "RECEIPT_INVALID", {
      passed: "signed by this instance",
      failed: "the receipt was changed or is of another instance",
    })
  )
    return { signed, covers: 0 };
  return { signed, covers: checkChainPosition(receipt, context, list) ? receipt.sequence_number + 1 : 0 };
}

async function isSigned(
  crypto: VerifierCrypto,
  receipt: AnyReceipt,
  { jwk, answering = jwk }: ReceiptContext,
): Promise<boolean> {
  if (receipt.v === RECEIPT_V2) return await isSignedTogether(crypto, receipt, jwk);
  return await isInLog(crypto, receiptLeaf(receipt), receipt.log, [jwk, answering]);
}

/** The key signed the head of the tree that the receipt's path leads to (RFC 9162 section 2.1.3.2). */
async function isSignedTogether(crypto: VerifierCrypto, receipt: ReceiptV2, jwk: SigningJwk): Promise<boolean> {
  const { index, path, size, value } = receipt.signature;
  const sides = siblingSides(index, size, path.length);
  if (sides === undefined) return false;
  let head = await sha256(crypto, leafInput(receiptV2Leaf(receipt)));
  for (const [at, side] of sides.entries()) {
    const sibling = fromBase64Url(path[at] ?? "");
    if (sibling === undefined) return false;
    head = await sha256(crypto, side === "left" ? nodeInput(sibling, head) : nodeInput(head, sibling));
  }
  return await verifyEd25519(crypto, jwk.x, value, treeSigningInput(size, head));
}

/** Whether a receipt has a signature that any key could have made. */
export function canBeSigned(receipt: AnyReceipt): boolean {
  if (receipt.v === RECEIPT_V2) return canBeEd25519(receipt.signature.value);
  const signatures = readHead(receipt.log.note)?.note.signatures ?? [];
  return signatures.length > 0 && signatures.every(({ signature }) => canBeEd25519(toBase64Url(signature)));
}

/** A receipt is of this session and stands in the chain exactly where it says. */
export function checkChainPosition(
  receipt: AnyReceipt,
  context: Omit<ReceiptContext, "jwk">,
  list: Checklist,
): boolean {
  const name = `receipt ${receipt.sequence_number}`;
  const entry = context.entries?.at(receipt.sequence_number);
  // A chain has a further session for each reset. Its entries say whose each of them is.
  if (context.entries !== null && entry === undefined) {
    list.fail(
      name,
      "CHAIN_BROKEN",
      "the chain does not reach its place: the end was cut off, or it is of another session",
    );
    return false;
  }
  if (receipt.session_id !== context.session && receipt.session_id !== entry?.session_id) {
    list.fail(name, "RECEIPT_INVALID", "the receipt is of another session");
    return false;
  }
  if (context.entries === null) {
    list.notPerformed(name, "its place in the chain needs the audit bundle (--audit-bundle)");
    return false;
  }
  const stands =
    entry?.entry_hash === receipt.entry_hash &&
    entry.prev_entry_hash === receipt.prev_entry_hash &&
    entry.call_id === receipt.call_id &&
    entry.policy_decision === receipt.decision &&
    entry.detail?.["policy_hash"] === receipt.policy_hash &&
    commitsToTheSame(receipt, entry) &&
    (receipt.v === RECEIPT_V2 || receipt.agent_manifest === entry.detail[AGENT_MANIFEST]);
  return list.require(name, stands, "CHAIN_BROKEN", {
    passed: `${receipt.decision}, at its place in the chain`,
    failed: "the chain does not hold what the receipt says: it was rolled back, forked or withheld",
  });
}

/** The receipt of a sealed call says what its entry commits to; any other says nothing of it. */
function commitsToTheSame(receipt: AnyReceipt, entry: AuditEntry): boolean {
  if (receipt.v === RECEIPT_V2) return true;
  const { request_payload_hash: request, response_payload_hash: response } = receipt;
  return (
    (request === undefined || request === entry.request_payload_hash) &&
    (response === undefined || response === entry.response_payload_hash)
  );
}
