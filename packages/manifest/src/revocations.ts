import {
  canonicalBytes,
  canonicalText,
  CmcpError,
  fromBase64Url,
  parseJson,
  schemaProblem,
  type JsonValue,
  type Untrusted,
} from "@cmcp/boundary";
import * as z from "zod";
import type { ManifestFacts } from "./facts.ts";
import { spiffeId } from "./members.ts";

/** What revocation keys sign begins with this. */
const DOMAIN = "cmcp-manifest-revocations-v1|";
/** Largest signed list in bytes. */
export const MAX_REVOCATIONS_BYTES = 1024 * 1024;
/** Longest time in seconds for which a list may be in force. */
export const MAX_REVOCATIONS_SECONDS = 31 * 86_400;
/** Most manifests, and most issuers and keys, of a list. */
export const MAX_REVOKED_MANIFESTS = 10_000;
export const MAX_REVOKED_NAMES = 1_000;

const bytes = (length: number): z.ZodString =>
  z
    .string()
    .length(Math.ceil((length * 4) / 3))
    .refine((text) => fromBase64Url(text)?.length === length, { error: `is not ${length} bytes in base64url` });
/** Seconds since the epoch. */
const seconds = z.int().nonnegative();

const listSchema = z
  .strictObject({
    v: z.literal(1),
    /** Higher than that of the list before, whoever signed it. */
    sequence: z.int().positive(),
    /** In force from then, and until before then. */
    issued_at: seconds,
    valid_until: seconds,
    /** Ids of revoked manifests, in lower case. */
    manifests: z.array(z.string().regex(/^[0-9a-f-]{36}$/)).max(MAX_REVOKED_MANIFESTS),
    /** Issuers none of whose manifests count. */
    issuers: z.array(spiffeId).max(MAX_REVOKED_NAMES),
    /** Keys none of whose manifests count: hex SHA-256 of each. */
    keys: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(MAX_REVOKED_NAMES),
  })
  .refine(({ issued_at: from, valid_until: until }) => until > from && until - from <= MAX_REVOCATIONS_SECONDS, {
    path: ["valid_until"],
    error: `is after issued_at, by at most ${MAX_REVOCATIONS_SECONDS} seconds`,
  });
/** What is revoked, and for how long the list says so. */
export type RevocationList = z.output<typeof listSchema>;

const signedSchema = z.strictObject({ list: listSchema, key: bytes(32), signature: bytes(64) });
/** A list with the revocation key that signed it, Ed25519 in base64url, and its signature. */
export type SignedRevocations = z.output<typeof signedSchema>;

function refused(why: string, cause?: unknown): CmcpError {
  return new CmcpError("AGENT_MANIFEST_REVOCATIONS_REFUSED", `the revocation list: ${why}`, { cause });
}

/** The bytes that a revocation key signs: `cmcp-manifest-revocations-v1|` and the list's canonical JSON (RFC 8785). */
export function revocationsInput(list: RevocationList): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${DOMAIN}${canonicalText(list)}`);
}

/**
 * Signs a list.
 * @returns the canonical bytes that a gateway takes
 * @throws CmcpError `AGENT_MANIFEST_REVOCATIONS_REFUSED` for one out of bounds
 */
export function signRevocations(
  list: RevocationList,
  { publicKey, sign }: { readonly publicKey: string; readonly sign: (message: Uint8Array) => string },
): Uint8Array<ArrayBuffer> {
  const parsed = listSchema.safeParse(list);
  if (!parsed.success) throw refused(schemaProblem(parsed.error).text);
  return canonicalBytes({ list: parsed.data, key: publicKey, signature: sign(revocationsInput(parsed.data)) });
}

/**
 * Reads a signed list of at most 1 MiB. The signature is over its canonical JSON, and is not verified.
 * @throws CmcpError `AGENT_MANIFEST_REVOCATIONS_REFUSED`
 */
export function readRevocations(input: Untrusted<Uint8Array>): SignedRevocations {
  let value: JsonValue;
  try {
    value = parseJson(input, { maxBytes: MAX_REVOCATIONS_BYTES, maxDepth: 3, maxItems: 20_000 });
  } catch (thrown) {
    throw refused("not JSON within bounds", thrown);
  }
  const parsed = signedSchema.safeParse(value);
  if (!parsed.success) throw refused(schemaProblem(parsed.error).text);
  return parsed.data;
}

/** Whether a list is in force. @param now milliseconds since the epoch */
export function coversTime({ issued_at: from, valid_until: until }: RevocationList, now: number): boolean {
  return from * 1000 <= now && now < until * 1000;
}

/** Whether a list revokes a manifest, its issuer or its key. */
export function revokes({ manifests, issuers, keys }: RevocationList, facts: ManifestFacts): boolean {
  return manifests.includes(facts.manifestId) || issuers.includes(facts.issuer) || keys.includes(facts.keyId);
}
