import { catalogHash } from "@cmcp/catalog";
import { requireApproved, type CatalogVersion } from "@cmcp/catalog/version";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { parseLaunchDocument } from "@cmcp/launch";
import { readBundle, requireHigherVersion, verifyBundleSignature, type PolicyBundle } from "@cmcp/policy/bundle";
import type { LaunchTerms } from "@cmcp/verify";

/**
 * What a launch document holds claims to.
 *
 * @param later - what the relying party says replaced the document's bundle and catalog
 * @throws CmcpError `LAUNCH_DOCUMENT_INVALID`, `POLICY_BUNDLE_INVALID`, `CATALOG_INVALID`
 */
export function launchTerms(
  document: Uint8Array,
  later: { readonly bundles: readonly PolicyBundle[]; readonly catalogVersions: readonly CatalogVersion[] },
): LaunchTerms {
  const { development, config, policy_bundle, catalog, trust_anchors } = parseLaunchDocument(untrusted(document));
  const own = readBundle(policy_bundle);
  // The document's bundle last: a copy of it that was given adds nothing.
  const bundles = new Map([...later.bundles, own].map((bundle) => [bundle.hash, bundle]));
  const { policy_signing_key: signingKey } = trust_anchors;
  return {
    development,
    catalogHash: catalogHash(catalog),
    policyHash: own.hash,
    versions: new Map([...bundles].map(([hash, { version }]) => [hash, version])),
    requireMayFollow(next, previous) {
      const [bundle, before] = [bundles.get(next), bundles.get(previous)];
      if (
        config.policy_reload_interval_seconds === 0 ||
        signingKey === undefined ||
        bundle === undefined ||
        before === undefined
      ) {
        throw new CmcpError(
          "POLICY_NOT_OF_LAUNCH",
          `the launch document lets no other policy bundle follow ${previous}`,
        );
      }
      verifyBundleSignature(bundle, signingKey);
      requireHigherVersion(bundle.version, before.version);
    },
    requireCatalogMayFollow(next, previous, version) {
      const { catalog_keys: keys, catalog_approvals: needed } = config.enclave;
      if (keys === undefined || needed === undefined)
        throw new CmcpError("CATALOG_HASH_MISMATCH", `the launch document lets no other catalog follow ${previous}`);
      for (const one of versionsBetween(later.catalogVersions, { next, previous, version }))
        requireApproved(one, { keys, needed });
    },
  };
}

/**
 * The versions that lead from one catalog to another: the last that has the next one's hash, and those before it, back to the
 * last that follows the previous one.
 * @throws CmcpError `CATALOG_VERSION_MISSING`
 */
function versionsBetween(
  versions: readonly CatalogVersion[],
  { next, previous, version }: { readonly next: string; readonly previous: string; readonly version: number | null },
): readonly CatalogVersion[] {
  const to = versions.findLastIndex(
    (one) => one.catalog_hash === next && (version === null || one.version === version),
  );
  const from = versions.slice(0, to + 1).findLastIndex((one) => one.previous_catalog_hash === previous);
  if (from === -1)
    throw new CmcpError(
      "CATALOG_VERSION_MISSING",
      `${next} was in force after ${previous}, and no versions were given that lead there (--catalog-versions)`,
    );
  return versions.slice(from, to + 1);
}
