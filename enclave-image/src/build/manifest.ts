import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { CmcpError, canonicalBytes, fromBase64Url, toBase64Url } from "@cmcp/boundary";

/** Before the manifest's bytes in what is signed, so that the signature means nothing elsewhere. */
const PURPOSE = Buffer.from("cmcp-image-manifest-v1\0");

/** What one output file is. */
export interface FileDigest {
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/** What was built: every output by name, and what from. */
export interface Manifest {
  readonly version: 1;
  /** SHA-256 of the lock file. */
  readonly inputs: string;
  /** `uname -r` of the kernel. */
  readonly kernel: string;
  readonly files: Readonly<Record<string, FileDigest>>;
}

/** A detached signature: public key and Ed25519 signature, base64url. */
export interface ManifestSignature {
  readonly key: string;
  readonly signature: string;
}

export function digestOf(bytes: Uint8Array): FileDigest {
  return { sha256: createHash("sha256").update(bytes).digest("hex"), size: bytes.length };
}

/** The manifest's bytes, RFC 8785: equal builds give equal ones. */
export function manifestBytes(manifest: Manifest): Uint8Array {
  return canonicalBytes({ version: manifest.version, inputs: manifest.inputs, kernel: manifest.kernel, files: Object.fromEntries(Object.entries(manifest.files).map(([name, file]) => [name, { ...file }])) });
}

/** Reads the operator's Ed25519 key, PKCS #8 PEM. @throws CmcpError `USAGE` */
export function readSigningKey(path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(path));
  } catch (cause) {
    throw new CmcpError("USAGE", `${path}: not a readable private key in PEM without a passphrase`, { cause });
  }
  if (key.asymmetricKeyType !== "ed25519") throw new CmcpError("USAGE", `${path}: the key is not Ed25519`);
  return key;
}

/** Signs the bytes of a manifest. */
export function signManifest(bytes: Uint8Array, key: KeyObject): ManifestSignature {
  const { x } = createPublicKey(key).export({ format: "jwk" });
  if (x === undefined) throw new CmcpError("USAGE", "the key is not Ed25519");
  return { key: x, signature: toBase64Url(sign(null, Buffer.concat([PURPOSE, bytes]), key)) };
}

/** Whether `trusted` (32 bytes, base64url) signed the manifest; the key the signature names counts for nothing. */
export function isSignedBy(bytes: Uint8Array, { signature }: ManifestSignature, trusted: string): boolean {
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: trusted }, format: "jwk" });
  const raw = fromBase64Url(signature);
  return raw !== undefined && verify(null, Buffer.concat([PURPOSE, bytes]), key, raw);
}
