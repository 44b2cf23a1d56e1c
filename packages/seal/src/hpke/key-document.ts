/** Keys as documents that other programs read too. */
import { bytesEqual, fromBase64, toBase64 } from "@cmcp/boundary";
import { concatBytes } from "../bytes.ts";
import { PRIVATE_KEY_BYTES, type Kem, type KemKey } from "./kem.ts";
import { SUITES } from "./suite.ts";

const BEGIN = "-----BEGIN PRIVATE KEY-----";
const END = "-----END PRIVATE KEY-----";
/** Characters of a line (RFC 7468 section 2). */
const LINE = 64;

/** The SubjectPublicKeyInfo of a public key, in DER. */
export function publicKeyInfo(kem: Kem, publicKey: Uint8Array): Uint8Array {
  return concatBytes(kem.spki, publicKey);
}

/** A private key of 32 bytes as PKCS #8 in PEM (RFC 7468 section 10). */
export function privateKeyPem(kem: Kem, privateKey: Uint8Array): string {
  const text = toBase64(concatBytes(kem.pkcs8, privateKey));
  const lines = [BEGIN];
  for (let at = 0; at < text.length; at += LINE) lines.push(text.slice(at, at + LINE));
  return `${[...lines, END].join("\n")}\n`;
}

/**
 * The key of a PEM document as {@link privateKeyPem} writes it, and `openssl genpkey -algorithm x25519`; `null` for another.
 *
 * @throws CmcpError `SEAL_SUITE_UNSUPPORTED` where the runtime lacks an algorithm of the key
 */
export function keyFromPem(pem: string): KemKey | null {
  const lines = pem.trim().split(/\r?\n/);
  if (lines.shift() !== BEGIN || lines.pop() !== END) return null;
  const der = fromBase64(lines.join(""));
  const kem = SUITES.map((suite) => suite.kem).find(
    ({ pkcs8 }) => der?.length === pkcs8.length + PRIVATE_KEY_BYTES && bytesEqual(der.subarray(0, pkcs8.length), pkcs8),
  );
  return kem === undefined || der === undefined ? null : kem.keyOf(der.subarray(kem.pkcs8.length));
}
