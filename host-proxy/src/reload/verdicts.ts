import type { ErrorCode } from "@cmcp/boundary";

/**
 * What the enclave says of a policy bundle or a catalog that it has judged and does not take: given again, it would be refused again.
 * Whatever else went wrong, such as a report that could not be had, says nothing about them.
 */
export const VERDICTS: ReadonlySet<ErrorCode> = new Set([
  "NOT_SUPPORTED",
  "RELOAD_INVALID",
  "CATALOG_INVALID",
  "CATALOG_TOOL_NAME_COLLISION",
  "CATALOG_NAME_COLLISION",
  "CATALOG_RESTART_REQUIRED",
  "CATALOG_VERSION_INVALID",
  "CATALOG_VERSION_NOT_HIGHER",
  "CATALOG_APPROVAL_INVALID",
  "CATALOG_APPROVALS_MISSING",
  "CONFIG_INVALID",
  "CONFIG_NOT_SUPPORTED",
  "DETECTOR_DATA_REFUSED",
  "POLICY_BUNDLE_INVALID",
  "POLICY_SIGNATURE_INVALID",
  "POLICY_SIGNING_KEY_REVOKED",
  "POLICY_VERSION_NOT_HIGHER",
  "JSON_TOO_LARGE",
  "JSON_INVALID_UTF8",
  "JSON_SYNTAX",
  "JSON_TOO_DEEP",
  "JSON_TOO_MANY_ITEMS",
  "JSON_DUPLICATE_KEY",
  "JSON_KEY_FORBIDDEN",
  "JSON_NUMBER_NOT_EXACT",
  "JSON_NOT_CANONICALIZABLE",
]);
