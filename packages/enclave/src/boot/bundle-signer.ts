import { CmcpError } from "@cmcp/boundary";
import { verifyBundleSignature, type PolicyBundle, type SigningKeys } from "@cmcp/policy";

/** The refusal of a bundle whose key signs no policy any more. */
export function retiredKey(): CmcpError {
  return new CmcpError(
    "POLICY_SIGNING_KEY_REVOKED",
    "the policy bundle is signed by a key that handed over or was revoked",
  );
}

function isSignedBy(bundle: PolicyBundle, key: string): boolean {
  try {
    verifyBundleSignature(bundle, key);
    return true;
  } catch {
    return false;
  }
}

/**
 * The key that signed a bundle: the present one, or for the bundle in force the one it came into force with.
 * @param known - `first` is the launch document's key; `inForce` the key of the bundle in force, where this is that bundle
 *   and its key is not revoked
 * @throws CmcpError `POLICY_SIGNATURE_INVALID`, `POLICY_SIGNING_KEY_REVOKED`
 */
export function signerOf(
  bundle: PolicyBundle,
  keys: SigningKeys,
  { first, inForce }: { readonly first: string; readonly inForce: string | null },
): string {
  const { current } = keys;
  if (current !== null && isSignedBy(bundle, current)) return current;
  if (inForce !== null && isSignedBy(bundle, inForce)) return inForce;
  if (keys.hasSigned((key) => isSignedBy(bundle, key))) throw retiredKey();
  verifyBundleSignature(bundle, current ?? first);
  throw retiredKey();
}
