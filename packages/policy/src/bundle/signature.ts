import { createPublicKey, verify } from "node:crypto";
import { CmcpError, fromBase64Url, toBase64Url } from "@cmcp/boundary";
import type { PolicyBundle } from "./read.ts";

const DOMAIN = "cmcp-policy-bundle-v1|";
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** The bytes a bundle's signature is made over: `cmcp-policy-bundle-v1|` and the prefixed bundle hash. */
export function bundleSigningInput(bundleHash: string): Uint8Array {
  return new TextEncoder().encode(`${DOMAIN}${bundleHash}`);
}

/**
 * Signature of a bundle, base64url without padding: `signature` of its manifest.json.
 *
 * @param sign - Ed25519; returns 64 bytes
 */
export function signBundle(bundle: Pick<PolicyBundle, "hash">, sign: (bytes: Uint8Array) => Uint8Array): string {
  return toBase64Url(sign(bundleSigningInput(bundle.hash)));
}

/**
 * Holds a bundle to the key it must be signed with.
 *
 * @param publicKey - the 32 bytes of an Ed25519 public key, base64url
 * @throws CmcpError `POLICY_SIGNATURE_INVALID` when the manifest has no signature or it is not this key's
 */
export function verifyBundleSignature(bundle: Pick<PolicyBundle, "hash" | "manifest">, publicKey: string): void {
  const written = bundle.manifest.signature;
  if (typeof written !== "string" || written === "")
    throw new CmcpError("POLICY_SIGNATURE_INVALID", "the policy bundle is not signed, and a signing key is pinned");
  // Existing tools write the padding, which says nothing.
  const signature = fromBase64Url(written.replace(/={1,2}$/, ""));
  if (signature?.length !== SIGNATURE_BYTES)
    throw new CmcpError(
      "POLICY_SIGNATURE_INVALID",
      `the policy bundle's signature is not base64url of ${SIGNATURE_BYTES} bytes`,
    );
  if (fromBase64Url(publicKey)?.length !== KEY_BYTES)
    throw new CmcpError(
      "POLICY_SIGNATURE_INVALID",
      `the pinned policy signing key is not base64url of ${KEY_BYTES} bytes`,
    );
  const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: publicKey } });
  if (!verify(null, bundleSigningInput(bundle.hash), key, signature))
    throw new CmcpError(
      "POLICY_SIGNATURE_INVALID",
      "the policy bundle was not signed with the pinned key, or was changed after signing",
    );
}
