import { CmcpError, canonicalBytes, parseJson, type Untrusted, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { principalId } from "../config/fields.ts";

/** Most tokens one instance takes. */
export const MAX_PROVISIONED_TOKENS = 4000;
const MAX_PROVISION_BYTES = 1024 * 1024;

const tokenSchema = z.strictObject({
  principal: principalId,
  /** Lowercase hex SHA-256 of the bearer token's bytes. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
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

const provisionSchema = z
  .strictObject({
    v: z.literal(1),
    /**
     * A principal may have several, so that one can be replaced by another without a gap. None at all: nobody may call.
     */
    tokens: z.array(tokenSchema).max(MAX_PROVISIONED_TOKENS),
    /** Requests need no token. Accepted in development only. */
    tokenless: z.literal(true).optional(),
    /** What servers of the catalog are sent as bearer tokens, by the names it gives. Secrets: the host sees them. */
    credentials: z.array(credentialSchema).min(1).max(MAX_CREDENTIALS).optional(),
  })
  .refine(({ credentials = [] }) => new Set(credentials.map(({ name }) => name)).size === credentials.length, {
    error: "duplicate credential",
  })
  .refine(({ tokens }) => new Set(tokens.map(({ sha256 }) => sha256)).size === tokens.length, {
    error: "duplicate token",
  })
  .refine(({ tokens, tokenless }) => tokenless !== true || tokens.length === 0, {
    error: "cannot be tokenless and have tokens",
  });

/** Who may call, by hashes of tokens, and what the gateway shows to servers. Not part of the launch document. */
export type Provision = z.output<typeof provisionSchema>;

const invalid = (why: string, cause?: unknown): CmcpError =>
  new CmcpError("CONFIG_INVALID", `provision message: ${why}`, { cause });

/**
 * Reads an object of unknown shape as a provision message. The message names keys, and never values, as they may be secret.
 */
function check(value: unknown): Provision {
  const parsed = provisionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(schemaProblem(parsed.error).text);
}

/** Canonical bytes of a provision message. @throws CmcpError `CONFIG_INVALID` */
export function buildProvision(provision: Provision): Uint8Array<ArrayBuffer> {
  return canonicalBytes(check(provision));
}

/** Reads a provision message of at most 1 MiB. @throws CmcpError `CONFIG_INVALID` */
export function parseProvision(input: Untrusted<Uint8Array>): Provision {
  let value: unknown;
  try {
    value = parseJson(input, { maxBytes: MAX_PROVISION_BYTES, maxDepth: 8, maxItems: 500_000 });
  } catch (thrown) {
    throw invalid("not JSON", thrown);
  }
  return check(value);
}
