import { createPublicKey, hash, type KeyObject } from "node:crypto";
import {
  bytesEqual,
  canonicalText,
  CmcpError,
  examine,
  parseJson,
  schemaProblem,
  type CanonicalObject,
  type JsonLimits,
  type Untrusted,
} from "@cmcp/boundary";
import * as z from "zod";
import { auditEntrySchema, entryHashInput, type AuditEntry } from "./entry.ts";
import { handOverSchema, type HandOver, type SigningJwk } from "./hand-over.ts";
import { signedErasureSchema } from "./erasure.ts";
import { keptPayloadsSchema } from "./disclosure/kept-payloads.ts";
import { sessionKeySchema } from "./disclosure/session-key.ts";
import { LEAF_VERSION, leafBytes, leafSchema, MAX_LEAF_BYTES, MAX_RECORD_BYTES, type RecordKind } from "./leaf.ts";
import { decidedBy, hasDecision, receiptBodySchema, type Decided, type ReceiptBody } from "./receipt.ts";
import { snapshotPartSchema, snapshotSchema } from "./snapshot.ts";

/** What the body of a record may be as JSON. */
export const BODY_LIMITS: JsonLimits = { maxBytes: MAX_RECORD_BYTES, maxDepth: 24, maxItems: 1_000_000 };
const LEAF_LIMITS: JsonLimits = { maxBytes: MAX_LEAF_BYTES, maxDepth: 2, maxItems: 64 };
const text = z.string().max(4096);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const hex = z.string().regex(/^[0-9a-f]{64}$/);

/** What an instance's evidence commits to besides its key: SHA-256 of the canonical JSON of everything else in its hand-over, 32 bytes. */
export function handOverBinding(handOver: HandOver): Uint8Array {
  const { evidence: _, ...bound } = handOver;
  return new Uint8Array(hash("sha256", canonicalText(bound), "buffer"));
}

/** Most principals and tokens of one provisioning, and credentials. */
const MAX_PROVISIONED = 4_000;
/** Most characters of base64url of a set of a mebibyte, encrypted. */
const MAX_STORED_SET = 1_398_123;

/**
 * Who may call from this record on, and what the gateway shows to servers: no token, no hash that a token could be
 * presented as, no credential.
 */
const provisionBody = z.strictObject({
  /** Counts the provisionings of the log from 1. */
  sequence: z.int().positive(),
  tokenless: z.literal(true).optional(),
  principals: z
    .array(
      z.strictObject({
        principal: z.string().min(1).max(128),
        /** Commitment to each token, lowercase hex, in rising order. */
        tokens: z.array(hex).max(MAX_PROVISIONED),
      }),
    )
    .max(MAX_PROVISIONED),
  /** Names of credentials, in rising order. */
  credentials: z.array(z.string().min(1).max(64)).max(MAX_PROVISIONED),
  /** The signed statement that it came in; absent where the host brought it, unsigned. */
  statement: z
    .strictObject({
      /** SHA-256 of its canonical bytes. */
      hash: digest,
      /** The provisioning key that signed it, base64url of 32 bytes. */
      key: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
      sequence: z.int().positive(),
    })
    .optional(),
  /** The whole set under the storage key that it came with, AES-256-GCM; absent without one. */
  stored: z
    .strictObject({
      /** 12 bytes, base64url. */
      nonce: z.string().regex(/^[A-Za-z0-9_-]{16}$/),
      /** Ciphertext and tag, base64url. */
      ciphertext: z
        .string()
        .max(MAX_STORED_SET)
        .regex(/^[A-Za-z0-9_-]*$/),
    })
    .optional(),
  /** SHA-256 of the body of the provisioning that gave the set, where a storage key alone brought it back. */
  restored_from: digest.optional(),
});
/** What one provisioning brought. */
export type ProvisionFacts = z.infer<typeof provisionBody>;

/** A call that is about to leave; acknowledged by the store before it does. */
export const intentSchema = z.strictObject({
  call_id: z.string().min(1).max(256),
  session_id: z.uuid(),
  principal: z.string().min(1).max(1024),
  tool_name: text,
  server_identity: text.nullable(),
  workflow_id: text.nullable(),
  /** Hash of the request as sent, as in the audit entry. */
  request_hash: text,
  policy_hash: digest,
  /** The catalog that the call was decided under; absent where it cannot change. */
  catalog_hash: digest.optional(),
  /** The session's sensitivity once the call has been sent: what it could return counts. */
  session_sensitivity: text,
  /** All its compartments then, as {@link sessionLabelDetail} lists them; absent where there are none. */
  compartments: text.optional(),
  /** Present where it would then be untrusted. */
  integrity: z.literal("untrusted").optional(),
  /** The call's idempotency key and its request, as the audit entry names them; absent for a call without a key. */
  idempotency_key: hex.optional(),
  idempotency_request: hex.optional(),
  /** The session's tip before the call, and its length. */
  tip_before: hex,
  length_before: z.int().positive(),
});
/** A call that was about to leave. */
export type Intent = z.infer<typeof intentSchema>;

/** What goes with the claim of a closed session because its instance alone can make it: later ones answer with it. */
const endBody = z.strictObject({
  /** Of the session's whole bundle. */
  bundle_signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
  /** The session's evidence file, without what is elsewhere: the root entry and the launch document. */
  evidence: z.record(z.string(), z.json()).optional(),
});
/** What goes with the claim of a closed session. */
export type SessionEnd = z.infer<typeof endBody>;

/** A claim as signed; the counter and hash link are read from it. */
const claimBody = z.strictObject({
  session_id: z.uuid(),
  sequence_number: z.int().positive(),
  claim_hash: digest,
  claim: z.record(z.string(), z.json()),
  /** Only with the claim of a session that is closed. */
  end: endBody.optional(),
});

/** The body of each kind of record. */
const BODIES = {
  "hand-over": handOverSchema,
  intent: intentSchema,
  entry: auditEntrySchema,
  claim: claimBody,
  provision: provisionBody,
  "snapshot-part": snapshotPartSchema,
  snapshot: snapshotSchema,
  "session-key": sessionKeySchema,
  disclosure: keptPayloadsSchema,
  erasure: signedErasureSchema,
} as const satisfies Record<RecordKind, z.ZodType>;

/** What a record says, before it is numbered. */
export type JournalStatement = {
  [K in RecordKind]: { readonly kind: K; readonly body: z.infer<(typeof BODIES)[K]> };
}[RecordKind];
/** The same of an entry or a claim that is written already. */
export type EncodedStatement =
  | { readonly kind: "entry"; readonly body: CanonicalObject }
  | {
      readonly kind: "claim";
      readonly body: Omit<z.infer<typeof claimBody>, "claim"> & { readonly claim: CanonicalObject };
    };

/** A record as it is stored: its leaf, and the body beside it. */
export interface EncodedRecord {
  readonly leaf: Uint8Array<ArrayBuffer>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A record that was read: its body is what its leaf commits to. */
export type JournalRecord = JournalStatement & {
  readonly instance: string;
  readonly seq: number;
  /** Of a decision: the receipt without its place in the log. */
  readonly receipt: ReceiptBody | null;
};

/**
 * One record of an instance.
 *
 * @param decided what the entry decides, if it has a receipt
 * @throws CmcpError `INTERNAL` for one nobody could read back
 */
export function encodeRecord(
  statement: JournalStatement | EncodedStatement,
  { instance, seq }: { readonly instance: string; readonly seq: number },
  decided: Decided | null = null,
): EncodedRecord {
  const { kind } = statement;
  // Two of these are written for every call, and the chain has checked the entry: they are not checked again.
  if (kind !== "entry" && kind !== "intent") requireReadable(statement);
  const body = new Uint8Array(Buffer.from(canonicalText(statement.body)));
  if (body.length > MAX_RECORD_BYTES)
    throw new CmcpError("INTERNAL", `a record is larger than ${MAX_RECORD_BYTES} bytes`);
  const leaf = leafBytes(
    decided === null
      ? { v: LEAF_VERSION, kind, instance, seq, body_hash: bodyHash(body), ...claimHashOf(statement) }
      : { ...decided, instance, seq },
  );
  return { leaf, body };
}

function claimHashOf({ kind, body }: JournalStatement | EncodedStatement): { readonly claim_hash?: string } {
  return kind === "claim" ? { claim_hash: body.claim_hash } : {};
}

function requireReadable({ kind, body }: JournalStatement | EncodedStatement): void {
  const parsed = BODIES[kind].safeParse(kind === "claim" ? { ...body, claim: {} } : body);
  if (!parsed.success)
    throw new CmcpError("INTERNAL", `a record is not well formed: ${schemaProblem(parsed.error).text}`);
}

/**
 * Reads one record the host handed back; `null` where the leaf has no known form, or the body is not what it commits
 * to. That the leaf is in the log is not checked. What is no fault of the bytes is thrown as it is.
 */
export function readRecord(leaf: Untrusted<Uint8Array>, body: Untrusted<Uint8Array>): JournalRecord | null {
  try {
    const said = parseJson(leaf, LEAF_LIMITS);
    return isLeaf(said) ? readLeaf(said, body) : readDecision(said, { leaf, body });
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return null;
  }
}

function isLeaf(said: unknown): boolean {
  return typeof said === "object" && said !== null && "v" in said && said.v === LEAF_VERSION;
}

function readLeaf(said: unknown, body: Untrusted<Uint8Array>): JournalRecord | null {
  const parsed = leafSchema.safeParse(said);
  if (!parsed.success) return null;
  const { kind, instance, seq, body_hash: committed, claim_hash: claimed } = parsed.data;
  if (bodyHash(examine(body)) !== committed) return null;
  const read = BODIES[kind].safeParse(parseJson(body, BODY_LIMITS));
  if (!read.success) return null;
  const record = { kind, body: read.data, instance, seq, receipt: null } as JournalRecord;
  return record.kind === "claim" && record.body.claim_hash !== claimed ? null : record;
}

/** What a leaf says by itself, without its body. */
export interface LeafFacts {
  readonly kind: RecordKind;
  readonly instance: string;
  readonly seq: number;
  /** Of a decision: the receipt without its place in the log. */
  readonly receipt: ReceiptBody | null;
}

/** Reads a leaf whose body is not there; `null` for one of no known form. */
export function readLeafFacts(leaf: Untrusted<Uint8Array>): LeafFacts | null {
  try {
    const value = parseJson(leaf, LEAF_LIMITS);
    const decision = receiptBodySchema.safeParse(value);
    if (decision.success) return { ...decision.data, receipt: decision.data };
    const other = leafSchema.safeParse(value);
    return other.success ? { ...other.data, receipt: null } : null;
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return null;
  }
}

/** A decision: the entry has the hash that it names, and the leaf is its receipt. */
function readDecision(
  said: unknown,
  { leaf, body }: { readonly leaf: Untrusted<Uint8Array>; readonly body: Untrusted<Uint8Array> },
): JournalRecord | null {
  const parsed = receiptBodySchema.safeParse(said);
  const read = auditEntrySchema.safeParse(parseJson(body, BODY_LIMITS));
  if (!parsed.success || !read.success) return null;
  const { data: receipt } = parsed;
  const { data: entry } = read;
  if (hasDecision(entry) === null || !isHashed(entry)) return null;
  const { instance, seq, channel } = receipt;
  const decided: ReceiptBody = { ...decidedBy(entry, channel), instance, seq };
  if (!bytesEqual(leafBytes(decided), examine(leaf))) return null;
  return { kind: "entry", body: entry, instance, seq, receipt };
}

/** `sha256:` and hex of a body. */
export function bodyHash(body: Uint8Array): string {
  return `sha256:${hash("sha256", body)}`;
}

/** Whether an entry has the hash that it names. */
export function isHashed(entry: AuditEntry): boolean {
  return hash("sha256", entryHashInput(entry)) === entry.entry_hash;
}

/** The verification key of a JWK. Throws `AUDIT_STORE_MISMATCH` when it is not a key. */
export function publicKeyOf(jwk: SigningJwk): KeyObject {
  try {
    return createPublicKey({ format: "jwk", key: jwk });
  } catch (thrown) {
    throw new CmcpError("AUDIT_STORE_MISMATCH", "a stored key is not an Ed25519 key", { cause: thrown });
  }
}
