export {
  approvalsOf,
  catalogVersionInput,
  hasApproved,
  requireApproved,
  type ApprovalState,
  type ApprovalTerms,
  type ApprovedVersion,
} from "./approval.ts";
export { followVersions, type CatalogInForce } from "./follow.ts";
export {
  catalogKeyId,
  catalogVersionsIn,
  catalogVersionsSchema,
  MAX_CATALOG_KEYS,
  MAX_VERSIONS,
  MAX_VERSIONS_BYTES,
  readCatalogVersions,
  writeCatalogVersions,
  type CatalogKey,
  type CatalogVersion,
} from "./version.ts";
