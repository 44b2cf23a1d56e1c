import { CmcpError } from "@cmcp/boundary";
import type { PolicyBundle } from "./read.ts";
import { verifyBundleSignature } from "./signature.ts";
import { compareVersions } from "./version.ts";

/** What a deployment holds its bundle to before anything of it is in force. */
export interface BundlePins {
  /** `sha256:` and hex; `null` where none is pinned. */
  readonly hash: string | null;
  /** Who must have signed it; `null` where nobody has to. */
  readonly signingKey: string | null;
  /** Whether a bundle of a higher version may replace it. */
  readonly reloadable: boolean;
}

/** @throws CmcpError `POLICY_HASH_MISMATCH`, `POLICY_SIGNATURE_INVALID`, `POLICY_BUNDLE_INVALID` for a bundle that is not the pinned one */
export function requirePinned(bundle: PolicyBundle, { hash, signingKey, reloadable }: BundlePins): void {
  if (hash !== null && hash !== bundle.hash)
    throw new CmcpError("POLICY_HASH_MISMATCH", `the policy bundle hashes to ${bundle.hash}, pinned is ${hash}`);
  if (signingKey !== null) verifyBundleSignature(bundle, signingKey);
  // A version without an order could never be followed by a higher one.
  if (reloadable) compareVersions(bundle.version, bundle.version);
}
