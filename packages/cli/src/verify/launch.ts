import { catalogHash } from "@cmcp/catalog";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { parseLaunchDocument } from "@cmcp/launch";
import { readBundle, requireHigherVersion, verifyBundleSignature, type PolicyBundle } from "@cmcp/policy/bundle";
import type { LaunchTerms } from "@cmcp/verify";

/**
 * What a launch document holds claims to.
 *
 * @param given - bundles of which the relying party says that they replaced the document's
 * @throws CmcpError `LAUNCH_DOCUMENT_INVALID`, `POLICY_BUNDLE_INVALID`, `CATALOG_INVALID`
 */
export function launchTerms(document: Uint8Array, given: readonly PolicyBundle[]): LaunchTerms {
  const { development, config, policy_bundle, catalog, trust_anchors } = parseLaunchDocument(untrusted(document));
  const own = readBundle(policy_bundle);
  // The document's bundle last: a copy of it that was given adds nothing.
  const bundles = new Map([...given, own].map((bundle) => [bundle.hash, bundle]));
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
  };
}
