import { CmcpError } from "@cmcp/boundary";
import { requireApproved, type ApprovalTerms } from "./approval.ts";
import type { CatalogVersion } from "./version.ts";

/** A catalog in force: its hash, and the version it came into force with; `null` for the launch document's own. */
export interface CatalogInForce {
  readonly hash: string;
  readonly version: number | null;
}

function refuse(why: string): CmcpError {
  return new CmcpError("CATALOG_VERSION_INVALID", why);
}

/**
 * The versions that come after the catalog in force, first to last. For the launch document's own catalog these are the
 * versions after the last that has its hash, and all where none has.
 */
function after(versions: readonly CatalogVersion[], { hash, version }: CatalogInForce): readonly CatalogVersion[] {
  if (version !== null) return versions.filter((one) => one.version > version);
  return versions.slice(versions.findLastIndex(({ catalog_hash }) => catalog_hash === hash) + 1);
}

/**
 * Follows versions from the catalog in force to the last one. Every version on the way follows the one before it and has
 * the approvals that it needs.
 * @param hash of the catalog that is to come into force
 * @returns the last version; `null` where the catalog in force is the last one
 * @throws CmcpError `CATALOG_VERSION_NOT_HIGHER`, `CATALOG_VERSION_INVALID`, `CATALOG_APPROVAL_INVALID`,
 *   `CATALOG_APPROVALS_MISSING`
 */
export function followVersions(
  versions: readonly CatalogVersion[],
  { hash, inForce, terms }: { readonly hash: string; readonly inForce: CatalogInForce; readonly terms: ApprovalTerms },
): CatalogVersion | null {
  const later = after(versions, inForce);
  const last = later.at(-1);
  if (last === undefined) {
    if (hash === inForce.hash) return null;
    throw new CmcpError(
      "CATALOG_VERSION_NOT_HIGHER",
      inForce.version === null
        ? "the catalog has no version that follows the launch document's catalog"
        : `the catalog has no version above ${inForce.version}, which is in force with another catalog`,
    );
  }
  if (last.catalog_hash !== hash)
    throw refuse(`the catalog hashes to ${hash}; its last version is ${last.catalog_hash}`);
  if (later[0]?.previous_catalog_hash !== inForce.hash)
    throw refuse(`version ${later[0]?.version} follows another catalog than the one in force, ${inForce.hash}`);
  for (const version of later) requireApproved(version, terms);
  return last;
}
