import { canonicalBytes, CmcpError, fromHex } from "@cmcp/boundary";

/** The public half of an instance's Ed25519 signing key; other members are ignored. */
export interface SigningJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  /** The 32-byte key, base64url without padding. */
  readonly x: string;
}

/**
 * What an instance's own report commits to, besides its signing key: the answer to
 * `GET /attestation?nonce=`.
 */
export interface InstanceBinding {
  readonly purpose: "instance-attestation";
  /** The challenge of whoever asked, 1 to 128 characters. */
  readonly nonce: string;
  /** Public keys the instance answers for, by name, base64url. */
  readonly keys: Readonly<Record<string, string>>;
  readonly policy_hash: string;
  readonly catalog_hash: string;
  readonly enforcement_mode: "enforcing" | "advisory" | "silent";
  readonly launch_digest: string;
}

/** Length of report_data on every platform, in bytes. */
export const REPORT_DATA_BYTES = 64;

/**
 * These functions are the one definition of what is hashed into report_data. The enclave hashes them with
 * node:crypto, a verifier with WebCrypto: report_data = SHA-256(thumbprint input) ‖ SHA-256(binding input).
 */

/** Input of the JWK thumbprint: the required OKP members in lexicographic order (RFC 7638 section 3.2, RFC 8037 section 2). */
export function thumbprintInput({ kty, crv, x }: SigningJwk): Uint8Array<ArrayBuffer> {
  return canonicalBytes({ crv, kty, x });
}

/** Input of a session's binding: the 32 raw bytes of the chain root. Throws `INTERNAL` for anything but 64 hex digits. */
export function sessionBindingInput(chainRoot: string): Uint8Array<ArrayBuffer> {
  const bytes = chainRoot.length === 64 ? fromHex(chainRoot) : undefined;
  if (bytes === undefined) throw new CmcpError("INTERNAL", "a chain root is 64 hex digits");
  return bytes;
}

/** Input of an instance's binding: the canonical JSON of what it answers for. Throws `INTERNAL` for a nonce out of bounds. */
export function instanceBindingInput(binding: InstanceBinding): Uint8Array<ArrayBuffer> {
  if (binding.nonce.length < 1 || binding.nonce.length > 128)
    throw new CmcpError("INTERNAL", "a nonce has 1 to 128 characters");
  const { purpose, nonce, keys, policy_hash, catalog_hash, enforcement_mode, launch_digest } = binding;
  return canonicalBytes({ purpose, nonce, keys, policy_hash, catalog_hash, enforcement_mode, launch_digest });
}

/** The 64 bytes of report_data from its two halves of 32. Throws `INTERNAL` for any other lengths. */
export function joinReportData(thumbprint: Uint8Array, commitment: Uint8Array): Uint8Array<ArrayBuffer> {
  if (thumbprint.length !== 32 || commitment.length !== 32)
    throw new CmcpError("INTERNAL", "report_data is made of two halves of 32 bytes");
  const bytes = new Uint8Array(REPORT_DATA_BYTES);
  bytes.set(thumbprint);
  bytes.set(commitment, 32);
  return bytes;
}
