import { CmcpError } from "@cmcp/boundary";
import type { LaunchInputs } from "@cmcp/launch/files";
import { compareVersions, verifyBundleSignature, type PolicyBundle } from "@cmcp/policy/bundle";

/**
 * Holds policy bundle and catalog to what the environment pins, and the bundle to what a reload needs, as the enclave does.
 * @throws CmcpError `POLICY_HASH_MISMATCH`, `CATALOG_HASH_MISMATCH`, `POLICY_SIGNATURE_INVALID`, `POLICY_BUNDLE_INVALID`
 */
export function checkPins({ environment, config }: Pick<LaunchInputs, "environment" | "config">, bundle: PolicyBundle, catalogHash: string): void {
  const { policyHash, policySigningKey } = environment;
  if (policyHash !== null && policyHash !== bundle.hash) throw new CmcpError("POLICY_HASH_MISMATCH", `the policy bundle hashes to ${bundle.hash}, pinned is ${policyHash}`);
  if (environment.catalogHash !== null && environment.catalogHash !== catalogHash) throw new CmcpError("CATALOG_HASH_MISMATCH", `the catalog hashes to ${catalogHash}, pinned is ${environment.catalogHash}`);
  if (policySigningKey !== null) verifyBundleSignature(bundle, policySigningKey);
  // A version without an order could never be followed by a higher one.
  if (config.policy_reload_interval_seconds > 0) compareVersions(bundle.version, bundle.version);
}
