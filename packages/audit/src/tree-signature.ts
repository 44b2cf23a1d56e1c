import * as z from "zod";

/** Most statements that one signature is made for. */
export const MAX_SIGNED_TOGETHER = 256;
/** Hashes between a statement and the head of the largest tree. */
const MAX_PATH = 8;
/** Version of the form, and the domain its signatures are separated by. */
export const TREE_VERSION = "cmcp-tree-v1";

const hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

/** The inclusion proof of a statement in the tree it is signed with (RFC 9162 section 2.1.3). */
export const inclusionProofSchema = z.strictObject({
  /** Index of the leaf, from 0. */
  index: z.int().nonnegative(),
  /** Hashes from the leaf to the head of the tree, lowest first, base64url (RFC 9162 section 2.1.3). */
  path: z.array(hash).max(MAX_PATH),
});
/** The inclusion proof of a statement in the tree it is signed with. */
export type InclusionProof = z.infer<typeof inclusionProofSchema>;

/** A signature over everything that an instance signed at the same time, as one of these statements carries it. */
export const treeSignatureSchema = inclusionProofSchema.extend({
  /** Number of leaves. */
  size: z.int().positive().max(MAX_SIGNED_TOGETHER),
  /** Ed25519 over their number and the head of their tree, base64url. */
  value: z.string().max(128),
});
/** A signature over everything that an instance signed at the same time, as one of these statements carries it. */
export type TreeSignature = z.infer<typeof treeSignatureSchema>;

const domain = new TextEncoder().encode(`${TREE_VERSION}|`);

/**
 * What is signed for statements that are signed together: `cmcp-tree-v1|`, how many they are as u32 big-endian, and the
 * 32-byte head of their tree.
 */
export function treeSigningInput(size: number, root: Uint8Array): Uint8Array<ArrayBuffer> {
  const input = new Uint8Array(domain.length + 4 + root.length);
  input.set(domain);
  new DataView(input.buffer).setUint32(domain.length, size);
  input.set(root, domain.length + 4);
  return input;
}
