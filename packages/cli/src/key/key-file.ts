import { createPrivateKey, createPublicKey, sign, type KeyObject } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import { keyFromPem, type KemKey } from "@cmcp/seal";
import { readSmallFile } from "../read-file.ts";

/** An operator's Ed25519 key pair. */
export interface OperatorKey {
  /** 32 bytes, base64url: as `enclave.operator_keys` lists it. */
  readonly publicKey: string;
  /** Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** Public key, base64url of 32 bytes, of an Ed25519 private key. */
export function publicKeyOf(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: "jwk" });
  if (x === undefined) throw new CmcpError("INTERNAL", "a public key has no x");
  return x;
}

/** Reads a private key in PEM. @throws CmcpError `USAGE` */
export async function readPrivateKey(path: string): Promise<KeyObject> {
  const pem = await readSmallFile(path);
  try {
    return createPrivateKey(Buffer.from(pem));
  } catch (thrown) {
    throw new CmcpError("USAGE", `${path}: not a readable private key in PEM without a passphrase`, { cause: thrown });
  }
}

/**
 * Reads an auditor's private key in PKCS #8 PEM, as `cmcp key new --auditor` writes it.
 * @throws CmcpError `USAGE`, `SEAL_SUITE_UNSUPPORTED` where the runtime lacks an algorithm of the key
 */
export async function readAuditorKey(path: string): Promise<KemKey> {
  const key = keyFromPem(new TextDecoder().decode(await readSmallFile(path)));
  if (key === null) throw new CmcpError("USAGE", `${path}: not a private key of X-Wing or X25519 in PKCS #8 PEM`);
  return key;
}

/**
 * Reads an Ed25519 private key in PKCS #8 PEM, as `cmcp key new` and `openssl genpkey -algorithm ed25519` write it.
 * @throws CmcpError `USAGE`
 */
export async function readOperatorKey(path: string): Promise<OperatorKey> {
  const key = await readPrivateKey(path);
  if (key.asymmetricKeyType !== "ed25519") throw new CmcpError("USAGE", `${path}: the key is not Ed25519`);
  return { publicKey: publicKeyOf(key), sign: (message) => sign(null, message, key) };
}
