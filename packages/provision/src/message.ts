import {
  CmcpError,
  canonicalBytes,
  fromBase64Url,
  parseJson,
  schemaProblem,
  type JsonValue,
  type Untrusted,
} from "@cmcp/boundary";
import { principalName, workflowName } from "@cmcp/identity/names";
import * as z from "zod";

/** Most tokens one instance takes. */
export const MAX_PROVISIONED_TOKENS = 4000;
/** Most workflows of one token. */
export const MAX_TOKEN_WORKFLOWS = 256;
/** Largest message in bytes. */
export const MAX_PROVISION_BYTES = 1024 * 1024;

const tokenSchema = z.strictObject({
  principal: principalName,
  /** Lowercase hex SHA-256 of the bearer token's bytes. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of its principal's workflows, those that the token is for; all without it. */
  workflows: z.array(workflowName).min(1).max(MAX_TOKEN_WORKFLOWS).optional(),
});

/** Most credentials one instance takes. */
export const MAX_CREDENTIALS = 256;
/** A credential's name, as catalogs have it. */
export const CREDENTIAL_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
/** A bearer token (RFC 6750, section 2.1), at most 4096 characters. */
export const CREDENTIAL_VALUE = /^(?=.{1,4096}$)[A-Za-z0-9._~+/-]+=*$/;

const credentialSchema = z.strictObject({
  name: z.string().regex(CREDENTIAL_NAME),
  value: z.string().regex(CREDENTIAL_VALUE),
});

const setShape = z.strictObject({
  v: z.literal(1),
  /**
   * A principal may have several, so that one can be replaced by another without a gap. None at all: nobody may call.
   */
  tokens: z.array(tokenSchema).max(MAX_PROVISIONED_TOKENS),
  /** Requests need no token. Accepted in development only. */
  tokenless: z.literal(true).optional(),
  /** What servers of the catalog are sent as bearer tokens, by the names it gives. Secrets: the host sees those of an unsigned message. */
  credentials: z.array(credentialSchema).min(1).max(MAX_CREDENTIALS).optional(),
});

/** What a set holds beyond the form of its members. */
function asSet<T extends typeof setShape>(schema: T) {
  return schema
    .refine(({ credentials = [] }) => new Set(credentials.map(({ name }) => name)).size === credentials.length, {
      error: "duplicate credential",
    })
    .refine(({ tokens }) => new Set(tokens.map(({ sha256 }) => sha256)).size === tokens.length, {
      error: "duplicate token",
    })
    .refine(({ tokens, tokenless }) => tokenless !== true || tokens.length === 0, {
      error: "cannot be tokenless and have tokens",
    });
}

const provisionSchema = asSet(setShape);

/** Bytes of a storage key. */
export const STORAGE_KEY_BYTES = 32;
const storageKey = z.string().refine((text) => fromBase64Url(text)?.length === STORAGE_KEY_BYTES, {
  error: `is not ${STORAGE_KEY_BYTES} bytes in base64url`,
});
const storedSetSchema = asSet(setShape.extend({ storage_key: storageKey.optional() }));
const storageKeySchema = z.strictObject({
  v: z.literal(1),
  storage_key: storageKey,
  /** `provision_hash` of the log's last provisioning, or of the one that gave its set. A host that shows an older log has another. */
  provision_hash: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});

/** Who may call, by hashes of tokens, and what the gateway shows to servers. Not part of the launch document. */
export type Provision = z.output<typeof provisionSchema>;
/** The key alone, base64url of 32 bytes, and which set it is for: the newest one that the log has under it. */
export type StorageKey = z.output<typeof storageKeySchema>;
/** What a statement brings: a set, which is stored where it comes with a key, or the key of a stored set. */
export type StatementMessage = z.output<typeof storedSetSchema> | StorageKey;

const invalid = (why: string, cause?: unknown): CmcpError =>
  new CmcpError("CONFIG_INVALID", `provision message: ${why}`, { cause });

/** Reads a value of unknown shape. The error names keys, and never values, as they may be secret. */
function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(schemaProblem(parsed.error).text);
}

function read(input: Untrusted<Uint8Array>): JsonValue {
  try {
    return parseJson(input, { maxBytes: MAX_PROVISION_BYTES, maxDepth: 8, maxItems: 500_000 });
  } catch (thrown) {
    throw invalid("not JSON", thrown);
  }
}

/** Canonical bytes of a provision message. @throws CmcpError `CONFIG_INVALID` */
export function buildProvision(provision: Provision): Uint8Array<ArrayBuffer> {
  return canonicalBytes(check(provisionSchema, provision));
}

/** Reads a provision message of at most 1 MiB. It has no storage key. @throws CmcpError `CONFIG_INVALID` */
export function parseProvision(input: Untrusted<Uint8Array>): Provision {
  return check(provisionSchema, read(input));
}

/** Canonical bytes of a statement's message. @throws CmcpError `CONFIG_INVALID` */
export function buildStatementMessage(message: StatementMessage): Uint8Array<ArrayBuffer> {
  return canonicalBytes(checkStatementMessage(message));
}

/** Reads a statement's message of at most 1 MiB. @throws CmcpError `CONFIG_INVALID` */
export function parseStatementMessage(input: Untrusted<Uint8Array>): StatementMessage {
  return checkStatementMessage(read(input));
}

/** A message without tokens that has a storage key is the key alone. */
function checkStatementMessage(value: unknown): StatementMessage {
  const isKey = typeof value === "object" && value !== null && "storage_key" in value && !("tokens" in value);
  return check<StatementMessage>(isKey ? storageKeySchema : storedSetSchema, value);
}
