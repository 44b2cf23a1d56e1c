import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";

/** Where the tests' gateway says it can be reached: the audience of its tokens. */
export const AUDIENCE = "https://gateway.bank.example/mcp";

/** An issuer of JWTs with one key, as an authorization server would be. */
export interface Issuer {
  readonly url: string;
  /** Its entry in `enclave.identity.jwt`, with what a test adds. */
  settings(rest: object): object;
  /** A token that is accepted where its subject is, changed by `claims` and `header`. */
  token(subject: string, claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** A token of these claims "signed" with the bytes of the public key as a shared secret. */
  confused(subject: string): string;
}

/** Makes an issuer that signs with ES256. */
export function makeIssuer(url: string, kid = "2026-11"): Issuer {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    url,
    settings: (rest) => ({
      issuer: url,
      audience: [AUDIENCE],
      algorithms: ["ES256"],
      jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kid, alg: "ES256" }] },
      ...rest,
    }),
    token: async (subject, claims = {}, header = {}) =>
      await sign(
        privateKey,
        { ...registered(url, subject), ...claims },
        { alg: "ES256", typ: "at+jwt", kid, ...header },
      ),
    confused: (subject) => {
      const input = `${part({ alg: "HS256", typ: "at+jwt", kid })}.${part(registered(url, subject))}`;
      return `${input}.${createHmac("sha256", publicKey.export({ format: "pem", type: "spki" }))
        .update(input)
        .digest("base64url")}`;
    },
  };
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

async function sign(key: KeyObject, claims: Record<string, unknown>, header: Record<string, unknown>): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ ...header, alg: "ES256" }).sign(key);
}

/** Issued a while ago: a machine has a clock of its own, which may be a moment behind. */
function registered(iss: string, sub: string): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return { iss, sub, aud: AUDIENCE, iat: now - 60, exp: now + 600 };
}

/** Claims of a token without a signature (RFC 7519 section 6). */
export function unsigned(issuer: Issuer, subject: string): string {
  return `${part({ alg: "none", typ: "at+jwt" })}.${part(registered(issuer.url, subject))}.`;
}
