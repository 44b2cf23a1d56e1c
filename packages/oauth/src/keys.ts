import { toBase64Url } from "@cmcp/boundary";
import type { CryptoKey, CryptoKeyPair, JWK } from "oauth4webapi";

/** The one algorithm of keys made here: what every authorization server that takes signatures supports (RFC 7518 section 3.4). */
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;

/** A key pair whose private half cannot be exported. */
export interface SigningPair extends CryptoKeyPair {
  readonly jwk: JWK;
  /** RFC 7638 thumbprint, base64url. */
  readonly thumbprint: string;
}

/** Makes an ES256 key pair. */
export async function makeSigningPair(): Promise<SigningPair> {
  return await signingPair(await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]));
}

/**
 * The key pair of a private ES256 key.
 * @param privateKey a JWK with its public members (RFC 7518 section 6.2)
 * @throws DOMException for another key
 */
export async function readSigningPair(privateKey: JWK): Promise<SigningPair> {
  const { d = "", ...members } = privateKey;
  const [{ crv = "", x = "", y = "" }, kty] = [members, "EC"];
  return await signingPair({
    privateKey: await crypto.subtle.importKey("jwk", { kty, crv, x, y, d }, ALGORITHM, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("jwk", { kty, crv, x, y }, ALGORITHM, true, ["verify"]),
  });
}

async function signingPair(pair: CryptoKeyPair): Promise<SigningPair> {
  const { crv = "", kty = "", x = "", y = "" } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const thumbprint = await sha256(JSON.stringify({ crv, kty, x, y }));
  return {
    privateKey: pair.privateKey,
    publicKey: pair.publicKey,
    jwk: { kty, crv, x, y, alg: "ES256", use: "sig", kid: thumbprint },
    thumbprint,
  };
}

/** SHA-256 of a text's UTF-8, base64url. */
export async function sha256(text: string): Promise<string> {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
}

/** Signs a JWT with ES256 (RFC 7515 section 3.1). */
export async function signJwt(header: object, claims: object, key: CryptoKey): Promise<string> {
  const part = (value: object): string => toBase64Url(new TextEncoder().encode(JSON.stringify(value)));
  const signed = `${part(header)}.${part(claims)}`;
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new TextEncoder().encode(signed));
  return `${signed}.${toBase64Url(new Uint8Array(signature))}`;
}
