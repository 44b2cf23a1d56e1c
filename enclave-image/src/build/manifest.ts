import { createPrivateKey, createPublicKey, hash, sign, verify, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  CmcpError,
  canonicalBytes,
  fromBase64Url,
  parseJson,
  toBase64Url,
  type JsonLimits,
  type Untrusted,
  schemaProblem,
} from "@cmcp/boundary";
import * as z from "zod";

/** Before the manifest's bytes in what is signed, so that the signature means nothing elsewhere. */
const PURPOSE = Buffer.from("cmcp-image-manifest-v1\0");

/** The manifest's file, and the one of its signature. */
export const MANIFEST = "manifest.json";
export const SIGNATURE = "manifest.sig.json";

/** Of both files; a build writes some 2 KB. */
const LIMITS: JsonLimits = { maxBytes: 64 * 1024, maxDepth: 4, maxItems: 2048 };
const MAX_FILES = 64;
/** Bytes of the largest file an image may have. */
export const MAX_FILE_BYTES = 1024 * 1024 * 1024;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
const manifestSchema = z.strictObject({
  version: z.literal(1),
  /** SHA-256 of the lock file. */
  inputs: sha256,
  /** `uname -r` of the kernel. */
  kernel: z.string().min(1).max(200),
  files: z
    .record(fileName, z.strictObject({ sha256, /** Bytes. */ size: z.int().min(0).max(MAX_FILE_BYTES) }))
    .refine((files) => Object.keys(files).length <= MAX_FILES),
});
const signatureSchema = z.strictObject({ key: z.string().max(64), signature: z.string().max(128) });

/** What was built: every output by name, and what from. */
export type Manifest = z.infer<typeof manifestSchema>;
/** A detached signature: public key and Ed25519 signature, base64url. */
export type ManifestSignature = z.infer<typeof signatureSchema>;
/** What one output file is. */
export type FileDigest = Manifest["files"][string];

/** Reads a manifest that somebody published. @throws CmcpError `JSON_…`, `IMAGE_MANIFEST_INVALID` */
export function parseManifest(bytes: Untrusted<Uint8Array>): Manifest {
  const parsed = manifestSchema.safeParse(parseJson(bytes, LIMITS));
  if (!parsed.success)
    throw new CmcpError("IMAGE_MANIFEST_INVALID", `${MANIFEST}: ${schemaProblem(parsed.error).text}`);
  return parsed.data;
}

/** Reads the signature beside it. @throws CmcpError `JSON_…`, `IMAGE_MANIFEST_INVALID` */
export function parseManifestSignature(bytes: Untrusted<Uint8Array>): ManifestSignature {
  const parsed = signatureSchema.safeParse(parseJson(bytes, LIMITS));
  if (!parsed.success)
    throw new CmcpError("IMAGE_MANIFEST_INVALID", `${SIGNATURE}: ${schemaProblem(parsed.error).text}`);
  return parsed.data;
}

export function digestOf(bytes: Uint8Array): FileDigest {
  return { sha256: hash("sha256", bytes), size: bytes.length };
}

/** The manifest's bytes, RFC 8785: equal builds give equal ones. */
export function manifestBytes(manifest: Manifest): Uint8Array {
  return canonicalBytes({
    version: manifest.version,
    inputs: manifest.inputs,
    kernel: manifest.kernel,
    files: Object.fromEntries(Object.entries(manifest.files).map(([name, file]) => [name, { ...file }])),
  });
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
