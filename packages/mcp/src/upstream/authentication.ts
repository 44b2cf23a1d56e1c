import { CmcpError } from "@cmcp/boundary";
import type { X509Certificate } from "node:crypto";
import { hash } from "node:crypto";

/** Why a tool server was not taken for the approved one: the `reason` in the detail of `UPSTREAM_IDENTITY_MISMATCH`. */
export const IDENTITY_FAULTS = [
  "no-certificate",
  "wrong-key",
  "wrong-name",
  "expired",
  "not-yet-valid",
  "self-signed",
  "unknown-issuer",
  "wrong-issuer",
  "invalid-chain",
  "wrong-spiffe-id",
  "invalid-svid",
] as const;

/** One of {@link IDENTITY_FAULTS}. */
export type IdentityFault = (typeof IDENTITY_FAULTS)[number];

/** Who was found at the other end of a connection, where certificates of authorities say so. */
export interface ServerAuthentication {
  /** Whose roots vouched for it: those compiled into Node, the deployment's own, or the bundle of its SPIFFE trust domain. */
  readonly trust: "webpki" | "private-ca" | "spiffe";
  /** The key of the server's certificate: `SHA256:` and base64 of the SHA-256 of its SubjectPublicKeyInfo. */
  readonly key: string;
  /** The key that signed the server's certificate, in the same form. */
  readonly issuerKey: string;
  /** The SPIFFE ID of its X.509-SVID, where that is how it is known. */
  readonly spiffeId?: string;
}

/** The error for a server that is not the approved one. */
export function identityMismatch(reason: IdentityFault, why: string): CmcpError {
  return new CmcpError("UPSTREAM_IDENTITY_MISMATCH", `tool server: ${why}`, { detail: { reason } });
}

/** SHA-256 of a certificate's SubjectPublicKeyInfo, 32 bytes. */
export function spkiSha256(certificate: X509Certificate): Buffer {
  return hash("sha256", certificate.publicKey.export({ type: "spki", format: "der" }), "buffer");
}

/** A key's SHA-256 as catalogs write it. */
export function fingerprintOf(spki: Uint8Array): string {
  return `SHA256:${Buffer.from(spki).toString("base64")}`;
}

/** What an exchange goes over. */
export interface Connection {
  /** Who is at its other end; `null` where no authority said so. */
  readonly authentication: ServerAuthentication | null;
}
