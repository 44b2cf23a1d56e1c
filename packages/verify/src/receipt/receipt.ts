import { sha256, type VerifierCrypto } from "@cmcp/appraise";
import {
  RECEIPT_V2,
  receiptLeaf,
  receiptV2Leaf,
  treeSigningInput,
  type AnyReceipt,
  type Receipt,
  type ReceiptV2,
} from "@cmcp/audit/schema";
import { thumbprintInput, type SigningJwk } from "@cmcp/appraise/evidence";
import { bytesEqual, CmcpError, fromBase64Url, toBase64Url } from "@cmcp/boundary";
import {
  instanceKeyName,
  keyIdInput,
  keyIdOf,
  leafInput,
  nodeInput,
  parseCheckpoint,
  parseNote,
  rootFromPath,
  SIGNATURE_TYPE,
  siblingSides,
  signaturesBy,
  type Checkpoint,
  type Note,
} from "@cmcp/log/format";
import type { Checklist } from "../checklist.ts";
import { canBeEd25519, verifyEd25519 } from "../crypto.ts";
import type { SessionFacts } from "../session/session-facts.ts";

/** What a receipt is held to: key and session of its record, and the entries of it that were given. */
export interface ReceiptContext {
  readonly jwk: SigningJwk;
  readonly session: string;
  readonly entries: Pick<SessionFacts, "at"> | null;
  /** Whether another instance of the same log may have decided: the note's signer answers for it. */
  readonly anyWriter?: boolean;
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
  receipt: AnyReceipt,
  context: ReceiptContext,
  list: Checklist,
): Promise<ReceiptFinding> {
  const name = `receipt ${receipt.sequence_number}`;
  const instance = toBase64Url(await sha256(crypto, thumbprintInput(context.jwk)));
  const ofWriter = receipt.instance === instance || (context.anyWriter === true && receipt.v !== RECEIPT_V2);
  const signed =
    ofWriter &&
    (receipt.v === RECEIPT_V2
      ? await isSignedTogether(crypto, receipt, context.jwk)
      : await isInLog(crypto, receipt, { jwk: context.jwk, instance }));
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

/** The decision is a leaf of the tree that a note of this key names (RFC 9162 section 2.1.3.2, C2SP signed-note). */
async function isInLog(
  crypto: VerifierCrypto,
  receipt: Receipt,
  { jwk, instance }: { readonly jwk: SigningJwk; readonly instance: string },
): Promise<boolean> {
  const hashing = async (bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> => await sha256(crypto, bytes);
  const publicKey = fromBase64Url(jwk.x);
  const path = receipt.log.path.map((hash) => fromBase64Url(hash) ?? new Uint8Array());
  const head = readHead(receipt.log.note);
  if (head === null || publicKey === undefined) return false;
  const { size, root } = head.checkpoint;
  const leaf = await hashing(leafInput(receiptLeaf(receipt)));
  const led = await rootFromPath(leaf, { index: receipt.log.index, size, path }, hashing);
  if (led === undefined || !bytesEqual(led, root)) return false;
  const name = instanceKeyName(instance);
  const type = SIGNATURE_TYPE.ed25519;
  const id = keyIdOf(await hashing(keyIdInput(name, type, publicKey)));
  const signatures = signaturesBy(head.note, { name, id, type, publicKey });
  const text = new TextEncoder().encode(head.note.text);
  for (const signature of signatures)
    if (!(await verifyEd25519(crypto, jwk.x, toBase64Url(signature), text))) return false;
  return signatures.length > 0;
}

/** Whether a receipt has a signature that any key could have made. */
export function canBeSigned(receipt: AnyReceipt): boolean {
  if (receipt.v === RECEIPT_V2) return canBeEd25519(receipt.signature.value);
  const signatures = readHead(receipt.log.note)?.note.signatures ?? [];
  return signatures.length > 0 && signatures.every(({ signature }) => canBeEd25519(toBase64Url(signature)));
}

/** A note and the head in it; `null` for what is no note of a head. */
function readHead(text: string): { readonly note: Note; readonly checkpoint: Checkpoint } | null {
  try {
    const note = parseNote(text);
    return { note, checkpoint: parseCheckpoint(note.text) };
  } catch (thrown) {
    if (thrown instanceof CmcpError) return null;
    throw thrown;
  }
}

/** A receipt is of this session and stands in the chain exactly where it says. */
export function checkChainPosition(
  receipt: AnyReceipt,
  context: Omit<ReceiptContext, "jwk">,
  list: Checklist,
): boolean {
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
