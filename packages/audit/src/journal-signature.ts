import { verify, type KeyObject } from "node:crypto";
import { canonicalBytes, CmcpError, fromBase64Url, toBase64Url } from "@cmcp/boundary";
import { JOURNAL_VERSION, type JournalRecord } from "./journal.ts";
import { leafHash, rootOf, treeOf } from "./merkle.ts";
import type { Sign } from "./sign.ts";

const encoder = new TextEncoder();
const domain = encoder.encode(`${JOURNAL_VERSION}|`);
/** How every record's canonical JSON ends: in that order `signature` is the member before it. */
const LAST_MEMBER = encoder.encode(`,"v":"${JOURNAL_VERSION}"}`);

/** What is signed for records that are stored together: how many they are, and the head of their tree. */
function signingInput(size: number, root: Uint8Array): Uint8Array {
  const input = Buffer.alloc(domain.length + 4 + root.length);
  input.set(domain);
  input.writeUInt32BE(size, domain.length);
  input.set(root, domain.length + 4);
  return input;
}

/**
 * Signs records that are stored together, once for all: each carries the signature and its own path to what was signed,
 * so that each can be believed without the others.
 *
 * @param unsigned canonical JSON bytes of 1 to {@link MAX_SIGNED_TOGETHER} records without their signature
 */
export function signRecords(unsigned: readonly Uint8Array[], sign: Sign): Uint8Array<ArrayBuffer>[] {
  const { root, paths } = treeOf(unsigned.map(leafHash));
  const value = toBase64Url(sign(signingInput(unsigned.length, root)));
  return unsigned.map((bytes, index) => {
    const path = paths[index]?.map((node) => `"${node.toString("base64url")}"`).join(",");
    if (path === undefined) throw new CmcpError("INTERNAL", "a record has no place in its tree");
    const signature = encoder.encode(`,"signature":{"index":${index},"path":[${path}],"size":${unsigned.length},"value":"${value}"}`);
    return Buffer.concat([bytes.subarray(0, -LAST_MEMBER.length), signature, LAST_MEMBER]);
  });
}

/** True when the record was signed by this key. */
export function isAuthentic({ signature, ...unsigned }: JournalRecord, key: KeyObject): boolean {
  const value = fromBase64Url(signature.value);
  const path = signature.path.flatMap((node) => fromBase64Url(node) ?? []);
  if (value === undefined || path.length !== signature.path.length) return false;
  const root = rootOf(leafHash(canonicalBytes(unsigned)), signature.index, signature.size, path);
  return root !== undefined && verify(null, signingInput(signature.size, root), key, value);
}
