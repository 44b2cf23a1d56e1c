import type { TrustAnchor } from "../x509/chain.ts";

/**
 * SHA-256 of the SubjectPublicKeyInfo of Intel's SGX Root CA (serial 22650cd65a9d3489f383b49552bf501b392706ac,
 * valid to 2049-12-31). Intel's pre-production root has the same name and another key.
 */
export const INTEL_SGX_ROOT_CA_SPKI_SHA256 = "a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e";

/** MRSIGNER of Intel's production quoting enclaves, TDX's among them, as the identities Intel signs name it. */
export const INTEL_TD_QE_MRSIGNER = "dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5";

/** ISVPRODID of TDX's quoting enclave; SGX's has 1. */
export const INTEL_TD_QE_PRODUCT = 2;

/** The pinned roots as trust anchors of a path. */
export function sgxRootAnchors(spkiSha256: readonly string[]): TrustAnchor[] {
  return spkiSha256.map((hash) => ({
    name: hash === INTEL_SGX_ROOT_CA_SPKI_SHA256 ? "Intel SGX Root CA" : `root key ${hash}`,
    spkiSha256: hash,
  }));
}
