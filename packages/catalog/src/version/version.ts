import {
  CmcpError,
  fromBase64Url,
  parseJson,
  schemaProblem,
  untrusted,
  type JsonValue,
  type Untrusted,
} from "@cmcp/boundary";
import * as z from "zod";

/** Most keys that approve catalogs, and so most approvals of one version. */
export const MAX_CATALOG_KEYS = 16;
/** Most versions that one file holds. */
export const MAX_VERSIONS = 256;
/** Highest version. */
const MAX_VERSION = 1_000_000_000;
/** Largest file of versions, in bytes. */
export const MAX_VERSIONS_BYTES = 1024 * 1024;

const hash = z.string().regex(/^sha256:[0-9a-f]{64}$/, { error: "must be sha256: and 64 lowercase hex digits" });

/** Name of a key that approves catalogs. */
export const catalogKeyId = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, {
  error: "is 1 to 64 of a-z, 0-9, '.', '_', '-' and starts with a letter or digit",
});

/** A key that approves catalogs, and its name. */
export interface CatalogKey {
  readonly id: string;
  /** Ed25519 public key, base64url of 32 bytes. */
  readonly ed25519: string;
}

const approvalSchema = z.strictObject({
  key_id: catalogKeyId,
  signature: z
    .string()
    .max(86)
    .refine((text) => fromBase64Url(text)?.length === 64, { error: "is not base64url of 64 bytes" }),
});

const versionSchema = z.strictObject({
  version: z.int().min(1).max(MAX_VERSION),
  catalog_hash: hash,
  previous_catalog_hash: hash,
  approvals: z
    .array(approvalSchema)
    .max(MAX_CATALOG_KEYS)
    .refine((approvals) => new Set(approvals.map(({ key_id }) => key_id)).size === approvals.length, {
      error: "one key approves twice",
    }),
});

/** A catalog that takes the place of another, and who approves that (SPEC.md, section 2). */
export type CatalogVersion = Readonly<z.output<typeof versionSchema>>;

/** Versions from first to last. */
export const catalogVersionsSchema = z
  .array(versionSchema)
  .max(MAX_VERSIONS)
  .refine((all) => all.every(({ version }, at) => at === 0 || version > (all[at - 1]?.version ?? 0)), {
    error: "the versions do not rise",
  })
  .refine((all) => all.every((one) => one.catalog_hash !== one.previous_catalog_hash), {
    error: "a version follows its own catalog",
  })
  .refine(
    (all) =>
      all.every(
        ({ previous_catalog_hash: previous }, at) => at === 0 || previous === (all[at - 1]?.catalog_hash ?? ""),
      ),
    { error: "a version does not follow the one before it" },
  );

const fileSchema = z.strictObject({ v: z.literal(1), versions: catalogVersionsSchema });

const invalid = (why: string, cause?: unknown): CmcpError =>
  new CmcpError("CATALOG_VERSION_INVALID", `catalog versions: ${why}`, { cause });

/**
 * Reads a file of catalog versions, of at most {@link MAX_VERSIONS_BYTES}.
 * @throws CmcpError `CATALOG_VERSION_INVALID`
 */
export function readCatalogVersions(input: Untrusted<Uint8Array>): readonly CatalogVersion[] {
  try {
    return catalogVersionsIn(parseJson(input, { maxBytes: MAX_VERSIONS_BYTES, maxDepth: 6, maxItems: 50_000 }));
  } catch (thrown) {
    if (thrown instanceof CmcpError && thrown.code === "CATALOG_VERSION_INVALID") throw thrown;
    throw invalid(thrown instanceof CmcpError ? thrown.message : "not JSON", thrown);
  }
}

/** The versions in the JSON of such a file. @throws CmcpError `CATALOG_VERSION_INVALID` */
export function catalogVersionsIn(value: JsonValue): readonly CatalogVersion[] {
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success) throw invalid(schemaProblem(parsed.error).text);
  return parsed.data.versions;
}

/** The text of a file of versions. @throws CmcpError `CATALOG_VERSION_INVALID` for what no reader takes */
export function writeCatalogVersions(versions: readonly CatalogVersion[]): string {
  const text = `${JSON.stringify({ v: 1, versions }, null, 2)}\n`;
  readCatalogVersions(untrusted(new TextEncoder().encode(text)));
  return text;
}
