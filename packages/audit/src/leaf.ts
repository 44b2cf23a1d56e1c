import { canonicalBytes, CmcpError } from "@cmcp/boundary";
import * as z from "zod";
import type { ReceiptBody } from "./receipt.ts";

/** Version of the leaf of a record that is no decision. */
export const LEAF_VERSION = "cmcp-leaf-v1";
/** Largest leaf in bytes. */
export const MAX_LEAF_BYTES = 4096;

/** Largest body of a record in bytes; the claim of a session with the most entries fits. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/** What a record is. */
export const RECORD_KINDS = [
  "hand-over",
  "intent",
  "entry",
  "claim",
  "provision",
  "snapshot-part",
  "snapshot",
  "session-key",
  "disclosure",
  "erasure",
] as const;
/** What a record is. */
export type RecordKind = (typeof RECORD_KINDS)[number];
/** Records whose body may be erased: no start reads it. */
export const ERASABLE_KINDS: readonly RecordKind[] = ["session-key", "disclosure"];

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** The leaf of a record that is no decision. A decision's leaf is its receipt without the place in the log. */
export const leafSchema = z
  .strictObject({
    v: z.literal(LEAF_VERSION),
    kind: z.enum(RECORD_KINDS),
    /** RFC 7638 thumbprint of the writing instance's signing key, base64url. */
    instance: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
    /** Counts the instance's records from 0. */
    seq: z.int().nonnegative(),
    /** SHA-256 of the body. */
    body_hash: digest,
    /** Of a claim: SHA-256 of the signed claim's canonical JSON, so that its holder needs no body. */
    claim_hash: digest.optional(),
  })
  .refine(({ kind, claim_hash }) => (kind === "claim") === (claim_hash !== undefined), {
    error: "claim_hash is a claim's",
  });
/** The leaf of a record that is no decision. */
export type Leaf = z.infer<typeof leafSchema>;

/** Canonical JSON bytes of a leaf. @throws CmcpError `INTERNAL` for one over {@link MAX_LEAF_BYTES} */
export function leafBytes(leaf: Leaf | ReceiptBody): Uint8Array<ArrayBuffer> {
  const bytes = canonicalBytes(leaf);
  if (bytes.length > MAX_LEAF_BYTES)
    throw new CmcpError("INTERNAL", `the leaf of a record is larger than ${MAX_LEAF_BYTES} bytes`);
  return bytes;
}

/**
 * The leaf of a claim.
 * @param place `instance`, the thumbprint of the claim's key; `seq`, `body_hash` and `claim_hash` as in the leaf
 */
export function claimLeaf(
  place: Required<Pick<Leaf, "instance" | "seq" | "body_hash" | "claim_hash">>,
): Uint8Array<ArrayBuffer> {
  const { instance, seq, body_hash, claim_hash } = place;
  return leafBytes({ v: LEAF_VERSION, kind: "claim", instance, seq, body_hash, claim_hash });
}
