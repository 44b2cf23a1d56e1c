import { ByteReader, CmcpError } from "@cmcp/boundary";
import { keyKind } from "../x509/algorithm.ts";
import { DerReader, TAG } from "../x509/der.ts";
import { looksLikePem, pemBlocks } from "../x509/pem.ts";
import { bitStringBytes, integerBytes } from "../x509/value.ts";
import { parsePublicArea, type PublicArea } from "./public-area.ts";

/** Largest public key taken, in bytes of any form. */
const MAX_KEY_BYTES = 4096;
/** Shortest RSA modulus that counts as a key, in bits (NIST SP 800-131A). */
const MIN_RSA_BITS = 2048;

/** A key that can verify a quote's signature. */
export type VerifyingKey = { readonly spki: Uint8Array } & (
  | { readonly kind: "rsa"; readonly modulusBytes: number }
  | { readonly kind: "ec"; readonly curve: "P-256" | "P-384" }
);

/** An attestation key as evidence gives it. */
export interface ParsedAttestationKey {
  readonly key: VerifyingKey;
  /** What the TPM says the key may do; unknown for a bare public key. */
  readonly area: PublicArea | null;
}

/**
 * Reads an attestation key: TPMT_PUBLIC, TPM2B_PUBLIC, DER SubjectPublicKeyInfo or that as PEM.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED` for anything else, `EVIDENCE_POLICY_VIOLATION` for a key that is too weak.
 */
export function parseAttestationKey(bytes: Uint8Array): ParsedAttestationKey {
  if (bytes.length > MAX_KEY_BYTES)
    throw new CmcpError("EVIDENCE_MALFORMED", `attestation key: ${bytes.length} bytes, more than ${MAX_KEY_BYTES}`);
  if (bytes[0] === TAG.sequence) return { key: verifyingKey(bytes), area: null };
  if (looksLikePem(bytes)) {
    const [spki] = pemBlocks(bytes, "PUBLIC KEY", { blocks: 1, bytes: MAX_KEY_BYTES });
    if (spki === undefined) throw new CmcpError("EVIDENCE_MALFORMED", "attestation key: PEM without a public key");
    return { key: verifyingKey(spki), area: null };
  }
  const length = bytes.length < 2 ? -1 : new ByteReader(bytes, "attestation key", "big").u16();
  const area = parsePublicArea(length === bytes.length - 2 ? bytes.subarray(2) : bytes);
  return { key: verifyingKey(area.spki), area };
}

/** A key from its SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). */
export function verifyingKey(spki: Uint8Array): VerifyingKey {
  const kind = keyKind(spki);
  if (kind.kind === "ec") return { spki, ...kind };
  if (kind.kind === "unsupported")
    throw new CmcpError("EVIDENCE_MALFORMED", "attestation key: neither RSA nor ECC over P-256 or P-384");
  const modulus = rsaModulus(spki);
  const bits = 8 * modulus.length - Math.clz32(modulus[0] ?? 0) + 24;
  if (bits < MIN_RSA_BITS)
    throw new CmcpError(
      "EVIDENCE_POLICY_VIOLATION",
      `attestation key: RSA of ${bits} bits, fewer than ${MIN_RSA_BITS}`,
    );
  return { spki, kind: "rsa", modulusBytes: modulus.length };
}

/** The modulus of an RSAPublicKey without leading zeros (RFC 8017 appendix A.1.1). */
function rsaModulus(spki: Uint8Array): Uint8Array {
  const outer = new DerReader(spki, "attestation key");
  const fields = outer.enter(TAG.sequence);
  outer.end();
  fields.next(TAG.sequence);
  const key = new DerReader(bitStringBytes(fields.next(TAG.bitString)), "attestation key").enter(TAG.sequence);
  const modulus = integerBytes(key);
  return modulus[0] === 0 ? modulus.subarray(1) : modulus;
}
