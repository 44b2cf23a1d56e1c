import { verify, type KeyObject } from "node:crypto";
import { canonicalBytes, CmcpError, fromBase64Url, toBase64Url } from "@cmcp/boundary";
import { JOURNAL_VERSION, type JournalRecord } from "./journal.ts";
import { isHash, leafHash, rootFromProof, merkleTree } from "./merkle.ts";
import { receiptLeaf, receiptOf, type Receipt, type ReceiptBody } from "./receipt.ts";
import type { Sign } from "./sign.ts";
import { treeSigningInput, type InclusionProof } from "./tree-signature.ts";

/** How every record's canonical JSON ends: in that order `signature` is the member before it. */
const LAST_MEMBER = `,"v":"${JOURNAL_VERSION}"}`;

/** A record to be signed, and the receipt of what it records. */
export interface Statement {
  /** Canonical JSON bytes of the record without its signature. */
  readonly record: Uint8Array;
  readonly receipt: ReceiptBody | null;
}

/** The same, signed. */
export interface SignedStatement {
  readonly record: Uint8Array<ArrayBuffer>;
  readonly receipt: Receipt | null;
}

/**
 * Signs records that are stored together, and their receipts, with one signature over their Merkle tree. Each carries
 * the
 * signature and its inclusion proof, so that each verifies without the others.
 *
 * @param statements at least one, of {@link MAX_SIGNED_TOGETHER} records and receipts at most
 */
export function signTogether(statements: readonly Statement[], sign: Sign): SignedStatement[] {
  const leaves = statements.flatMap(({ record, receipt }) =>
    receipt === null ? [leafHash(record)] : [leafHash(record), leafHash(receiptLeaf(receipt))],
  );
  const { root, paths } = merkleTree(leaves);
  const size = leaves.length;
  const value = toBase64Url(sign(treeSigningInput(size, Buffer.from(root, "base64url"))));
  let next = 0;
  const place = (): InclusionProof => {
    const path = paths[next];
    if (path === undefined) throw new CmcpError("INTERNAL", "a statement has no place in its tree");
    next += 1;
    return { index: next - 1, path: [...path] };
  };
  return statements.map(({ record, receipt }) => {
    const { index, path } = place();
    const own = receipt === null ? null : place();
    const signature = `,"signature":{"index":${index},"path":${written(path)},${own === null ? "" : `"receipt_place":{"index":${own.index},"path":${written(own.path)}},`}"size":${size},"value":"${value}"}`;
    return {
      record: withMember(record, signature),
      receipt: receipt === null || own === null ? null : { ...receipt, signature: { ...own, size, value } },
    };
  });
}

/** Hashes as JSON: base64url needs no escape. */
function written(path: readonly string[]): string {
  return path.length === 0 ? "[]" : `["${path.join('","')}"]`;
}

/** Inserts a member, in ASCII, before the last member of a record. */
function withMember(record: Uint8Array, member: string): Uint8Array<ArrayBuffer> {
  const kept = record.length - LAST_MEMBER.length;
  const signed = Buffer.allocUnsafe(record.length + member.length);
  signed.set(record.subarray(0, kept));
  signed.write(member + LAST_MEMBER, kept, "latin1");
  return signed;
}

/**
 * The receipt a record was signed with; `null` where there is none. It is signed where the record {@link isAuthentic}.
 */
export function receiptOfRecord(record: JournalRecord): Receipt | null {
  if (record.kind !== "entry" || record.body.receipt === null) return null;
  const { receipt_place: place, size, value } = record.signature;
  return place === undefined
    ? null
    : { ...receiptOf(record.body.entry, record.instance, record.body.receipt), signature: { ...place, size, value } };
}

/** True when the record, and the receipt it may have, were signed by this key. */
export function isAuthentic(record: JournalRecord, key: KeyObject): boolean {
  const { signature, ...unsigned } = record;
  const value = fromBase64Url(signature.value);
  const root = headOf(canonicalBytes(unsigned), signature, signature.size);
  if (
    value === undefined ||
    root === undefined ||
    !verify(null, treeSigningInput(signature.size, Buffer.from(root, "base64url")), key, value)
  )
    return false;
  if (record.kind !== "entry" || record.body.receipt === null) return true;
  const receipt = receiptOfRecord(record);
  return receipt !== null && headOf(receiptLeaf(receipt), receipt.signature, signature.size) === root;
}

/** The head of the tree that a leaf says it stands in; `undefined` where its path leads to none. */
function headOf(leaf: Uint8Array, { index, path }: InclusionProof, size: number): string | undefined {
  return path.every(isHash) ? rootFromProof(leafHash(leaf), index, size, path) : undefined;
}
