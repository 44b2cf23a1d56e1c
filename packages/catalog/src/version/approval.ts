import { createPublicKey, verify } from "node:crypto";
import { CmcpError, canonicalText, fromBase64Url } from "@cmcp/boundary";
import type { CatalogKey, CatalogVersion } from "./version.ts";

const DOMAIN = "cmcp-catalog-version-v1|";

/** What one approval signs: a version without its approvals, and the key that approves it. */
export type ApprovedVersion = Omit<CatalogVersion, "approvals">;

/** The bytes that an approval signs: the domain, and the canonical JSON of the version and the key's name (SPEC.md, section 3). */
export function catalogVersionInput(
  { version, catalog_hash, previous_catalog_hash }: ApprovedVersion,
  keyId: string,
): Uint8Array<ArrayBuffer> {
  const signed = canonicalText({ catalog_hash, key_id: keyId, previous_catalog_hash, version });
  return new TextEncoder().encode(`${DOMAIN}${signed}`);
}

/** Whether a key signed a version under its name. @param signature base64url of 64 bytes */
export function hasApproved(version: ApprovedVersion, { id, ed25519 }: CatalogKey, signature: string): boolean {
  const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: ed25519 } });
  return verify(null, catalogVersionInput(version, id), key, fromBase64Url(signature) ?? new Uint8Array());
}

/** Who may approve catalogs, and how many of them a version needs. Both are measured. */
export interface ApprovalTerms {
  readonly keys: readonly CatalogKey[];
  readonly needed: number;
}

/** The approvals of one version. */
export interface ApprovalState {
  /** Names of the keys whose approval counts. */
  readonly approved: readonly string[];
  /** Names of the keys that have not approved. */
  readonly missing: readonly string[];
  /** Names that no key has: those of keys that were taken out, or that never were. */
  readonly unknown: readonly string[];
}

/**
 * The approvals of a version, each verified.
 * @throws CmcpError `CATALOG_APPROVAL_INVALID` for an approval that its key did not sign
 */
export function approvalsOf(version: CatalogVersion, keys: readonly CatalogKey[]): ApprovalState {
  const byId = new Map(keys.map((key) => [key.id, key]));
  const approved = new Set<string>();
  const unknown: string[] = [];
  for (const { key_id: id, signature } of version.approvals) {
    const key = byId.get(id);
    if (key === undefined) unknown.push(id);
    else if (hasApproved(version, key, signature)) approved.add(id);
    else
      throw new CmcpError(
        "CATALOG_APPROVAL_INVALID",
        `version ${version.version}: the approval of ${id} is not signed by its key, or is of another version`,
      );
  }
  const missing = keys.map(({ id }) => id).filter((id) => !approved.has(id));
  return { approved: [...approved], missing, unknown };
}

/** @throws CmcpError `CATALOG_APPROVAL_INVALID`; `CATALOG_APPROVALS_MISSING` for fewer than the terms need */
export function requireApproved(version: CatalogVersion, { keys, needed }: ApprovalTerms): void {
  const { approved, unknown } = approvalsOf(version, keys);
  if (approved.length >= needed) return;
  const others = unknown.length === 0 ? "" : `; no catalog key is called ${unknown.join(", ")}`;
  throw new CmcpError(
    "CATALOG_APPROVALS_MISSING",
    `version ${version.version} has ${approved.length} of ${needed} approvals${others}`,
  );
}
