import { CmcpError, fromBase64Url, parseJson, schemaProblem, type Untrusted } from "@cmcp/boundary";
import * as z from "zod";
import { spiffeId } from "./members.ts";

/** Most keys that may sign manifests. */
export const MAX_ANCHORS = 64;
/** Largest trust anchor file in bytes. */
export const MAX_ANCHOR_FILE_BYTES = 256 * 1024;

const publicKey = z
  .string()
  .max(64)
  .refine((text) => fromBase64Url(text)?.length === 32, { error: "must be base64url of 32 bytes without padding" });
const issuers = z.array(spiffeId).min(1).max(64);

/** A key that may sign manifests. */
export const anchorSchema = z.strictObject({
  /** Ed25519, base64url of 32 bytes. */
  public_key: publicKey.describe("Ed25519 public key of an issuer, base64url."),
  /** The issuers it may sign for; absent for any. */
  issuers: issuers.optional().describe("SPIFFE IDs of the issuers that it may sign for. Without this key: any."),
});
/** A key that may sign manifests. */
export type ManifestAnchor = z.output<typeof anchorSchema>;

/** Keys that may sign manifests, none twice. */
export const anchorsSchema = z
  .array(anchorSchema)
  .min(1)
  .max(MAX_ANCHORS)
  .refine((anchors) => new Set(anchors.map(({ public_key: key }) => key)).size === anchors.length, {
    error: "duplicate key",
  });

const fileKey = z.strictObject({
  public_key_base64url: publicKey,
  key_id: z
    .string()
    .regex(/^[0-9a-f]{64}$/, { error: "must be the SHA-256 of the key, in hex" })
    .optional(),
  issuers: issuers.optional(),
});
const fileSchema = z.union([fileKey, z.strictObject({ keys: z.array(fileKey).min(1).max(MAX_ANCHORS) })]);

/** A key of a trust anchor file, with the key id that the file gives it. */
export interface NamedAnchor {
  readonly anchor: ManifestAnchor;
  /** Hex SHA-256 of the key, as the file says; `null` where it says none. Whoever can hash compares it. */
  readonly keyId: string | null;
}

/**
 * Reads a trust anchor file of the common format: one key, or `keys`. A key may list the `issuers` that it signs for.
 * @throws CmcpError `CONFIG_INVALID`
 */
export function readAnchorFile(input: Untrusted<Uint8Array>): readonly NamedAnchor[] {
  let value: unknown;
  try {
    value = parseJson(input, { maxBytes: MAX_ANCHOR_FILE_BYTES, maxDepth: 4, maxItems: 10_000 });
  } catch (thrown) {
    throw new CmcpError("CONFIG_INVALID", "trust anchors: not JSON within bounds", { cause: thrown });
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success)
    throw new CmcpError("CONFIG_INVALID", `trust anchors: ${schemaProblem(parsed.error).text}`, {
      cause: parsed.error,
    });
  const keys = "keys" in parsed.data ? parsed.data.keys : [parsed.data];
  return keys.map(({ public_key_base64url: public_key, key_id = null, issuers: own }) => ({
    anchor: { public_key, ...(own === undefined ? {} : { issuers: own }) },
    keyId: key_id,
  }));
}
