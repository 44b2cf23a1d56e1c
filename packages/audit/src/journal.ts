import { createPublicKey, type KeyObject } from "node:crypto";
import {
  canonicalText,
  CmcpError,
  type CanonicalObject,
  parseJson,
  type JsonLimits,
  type Untrusted,
  schemaProblem,
} from "@cmcp/boundary";
import * as z from "zod";
import { auditEntrySchema } from "./entry.ts";
import { historySchema } from "./history.ts";
import { CHANNELS, hasDecision, type Receipt } from "./receipt.ts";
import { inclusionProofSchema, treeSignatureSchema } from "./tree-signature.ts";

/** Version of the journal record format. */
export const JOURNAL_VERSION = "cmcp-journal-v2";
/** Largest encoded journal record in bytes; the claim of a session with the most entries fits. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;
/**
 * Bytes kept free for a record's signature: the longest paths of a record and its receipt, 43 characters each hash, the
 * signature of 86, and what names them.
 */
const SIGNATURE_ROOM = 1536;

/** What one record may be as JSON. */
export const RECORD_LIMITS: JsonLimits = { maxBytes: MAX_RECORD_BYTES, maxDepth: 16, maxItems: 1_000_000 };
const text = z.string().max(4096);
/** A sealed blob has at most 8192 bytes. */
const MAX_SEALED_TEXT = 10_923;
const thumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** The public half of an instance's signing key. */
export const signingJwkSchema = z.strictObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: thumbprint });
/** The public half of an instance's signing key. */
export type SigningJwk = z.infer<typeof signingJwkSchema>;

/** First record of an instance: who signs the rest, and what it runs. */
const instanceBody = z.strictObject({
  jwk: signingJwkSchema,
  gateway_version: text,
  policy_hash: digest,
  catalog_hash: digest,
  /** ISO 8601, by a clock the host sets. */
  boot_time: z.iso.datetime({ offset: true }),
  /**
   * The gateway's identity as only the same image, launch and machine can open it, base64url; where the platform can
   * seal.
   */
  sealed_identity: z.string().max(MAX_SEALED_TEXT).optional(),
  /** What this instance found of those before it. */
  history: historySchema.optional(),
  /**
   * The latest instance that the store showed when this one began, and how many records of it: whoever hides one of
   * those later contradicts this record.
   */
  previous: z.strictObject({ instance: thumbprint, records: z.int().nonnegative() }).optional(),
});

/** Most principals and tokens of one provisioning, and credentials. */
const MAX_PROVISIONED = 4_000;

/**
 * Who may call from now on, and what the gateway shows to servers: no token, no hash that a token could be presented
 * as, no credential.
 */
const provisionBody = z.strictObject({
  /** Counts the instance's provisionings from 1. */
  sequence: z.int().positive(),
  tokenless: z.literal(true).optional(),
  principals: z
    .array(
      z.strictObject({
        principal: z.string().min(1).max(128),
        /** SHA-256 of the 32 bytes of each token's SHA-256, lowercase hex, in rising order. */
        tokens: z.array(hash).max(MAX_PROVISIONED),
      }),
    )
    .max(MAX_PROVISIONED),
  /** Names of credentials, in rising order. */
  credentials: z.array(z.string().min(1).max(64)).max(MAX_PROVISIONED),
});
/** What one provisioning brought. */
export type ProvisionFacts = z.infer<typeof provisionBody>;

/** A call that is about to leave; acknowledged by the store before it does. */
const intentBody = z.strictObject({
  call_id: z.string().min(1).max(256),
  session_id: z.uuid(),
  tool_name: text,
  server_identity: text.nullable(),
  workflow_id: text.nullable(),
  /** Hash of the request as sent, as in the audit entry. */
  request_hash: text,
  policy_hash: digest,
  /** The session's sensitivity once the call has been sent: what it could return counts. */
  session_sensitivity: text,
  /** All its compartments then, as {@link sessionLabelDetail} lists them; absent where there are none. */
  compartments: text.optional(),
  /** Present where it would then be untrusted. */
  integrity: z.literal("untrusted").optional(),
  /** The session's tip before the call. */
  tip_before: hash,
});

/**
 * An entry as it stands in its chain, and the channel its receipt speaks of; `null` where it has no receipt. All else
 * in a receipt is in the entry.
 */
const entryBody = z
  .strictObject({ entry: auditEntrySchema, receipt: z.enum(CHANNELS).nullable() })
  .refine(
    ({ entry, receipt }) => receipt === null || hasDecision(entry) !== null,
    "only a decided tool call has a receipt",
  );

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

const envelope = {
  v: z.literal(JOURNAL_VERSION),
  /** RFC 7638 thumbprint of the writing instance's signing key, base64url. */
  instance: thumbprint,
  /** Counts the instance's records from 0 without a gap. */
  seq: z.int().nonnegative(),
  signature: treeSignatureSchema,
};

const entryRecord = z
  .strictObject({
    ...envelope,
    kind: z.literal("entry"),
    body: entryBody,
    signature: treeSignatureSchema.extend({ receipt_place: inclusionProofSchema.optional() }),
  })
  .refine(
    ({ body, signature }) => (body.receipt === null) === (signature.receipt_place === undefined),
    "a receipt has a place, and nothing else has",
  );

const recordSchema = z.discriminatedUnion("kind", [
  z.strictObject({ ...envelope, kind: z.literal("instance"), body: instanceBody }),
  z.strictObject({ ...envelope, kind: z.literal("intent"), body: intentBody }),
  entryRecord,
  z.strictObject({ ...envelope, kind: z.literal("claim"), body: claimBody }),
  z.strictObject({ ...envelope, kind: z.literal("provision"), body: provisionBody }),
]);

/** One record the host stores for the enclave, signed so that nobody else can have written it. */
export type JournalRecord = z.infer<typeof recordSchema>;
/** What a record says, before it is numbered and signed. */
export type JournalStatement = {
  [K in JournalRecord["kind"]]: Pick<Extract<JournalRecord, { kind: K }>, "kind" | "body">;
}[JournalRecord["kind"]];
/** The same of an entry or a claim that is written already. */
export type EncodedStatement =
  | {
      readonly kind: "entry";
      readonly body: { readonly entry: CanonicalObject; readonly receipt: Receipt["channel"] | null };
    }
  | {
      readonly kind: "claim";
      readonly body: Omit<z.infer<typeof claimBody>, "claim"> & { readonly claim: CanonicalObject };
    };
/** A call that was about to leave. */
export type Intent = z.infer<typeof intentBody>;
/** Who an instance was. */
export type InstanceFacts = z.infer<typeof instanceBody>;

/** Canonical JSON bytes of one record without its signature. Throws `INTERNAL` for one nobody could read back. */
export function unsignedRecord(
  statement: JournalStatement | EncodedStatement,
  instance: string,
  seq: number,
): Uint8Array<ArrayBuffer> {
  const unsigned = { body: statement.body, instance, kind: statement.kind, seq, v: JOURNAL_VERSION };
  // Two of these are written for every call, their entries checked by the chain already, and a claim by who built it:
  // they are not checked again.
  if (statement.kind !== "entry" && statement.kind !== "intent") {
    const body = statement.kind === "claim" ? { ...statement.body, claim: {} } : statement.body;
    requireReadable({ ...unsigned, body, signature: { index: 0, path: [], size: 1, value: "" } });
  }
  const bytes = Buffer.from(canonicalText(unsigned));
  if (bytes.length > MAX_RECORD_BYTES - SIGNATURE_ROOM)
    throw new CmcpError("INTERNAL", `a journal record is larger than ${MAX_RECORD_BYTES} bytes`);
  return bytes;
}

function requireReadable(record: object): void {
  const parsed = recordSchema.safeParse(record);
  if (parsed.success) return;
  throw new CmcpError("INTERNAL", `a journal record is not well formed: ${schemaProblem(parsed.error).text}`);
}

/**
 * Reads one record the host handed back; `null` for what is no record. Its form is checked, its signature is not: see
 * `isAuthentic`. What is no fault of the bytes is thrown as it is.
 */
export function readRecord(bytes: Untrusted<Uint8Array>): JournalRecord | null {
  try {
    return recordSchema.safeParse(parseJson(bytes, RECORD_LIMITS)).data ?? null;
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return null;
  }
}

/** As {@link readRecord}. @throws CmcpError `AUDIT_STORE_MISMATCH` for anything that is not a record. */
export function decodeRecord(bytes: Untrusted<Uint8Array>): JournalRecord {
  const record = readRecord(bytes);
  if (record === null) throw new CmcpError("AUDIT_STORE_MISMATCH", "a stored record is not a journal record");
  return record;
}

/** The verification key of a JWK. Throws `AUDIT_STORE_MISMATCH` when it is not a key. */
export function publicKeyOf(jwk: SigningJwk): KeyObject {
  try {
    return createPublicKey({ format: "jwk", key: jwk });
  } catch (thrown) {
    throw new CmcpError("AUDIT_STORE_MISMATCH", "a stored key is not an Ed25519 key", { cause: thrown });
  }
}
