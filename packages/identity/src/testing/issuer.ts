/** Issuers with real keys, and tokens of them, right and wrong. */
import { createHmac, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { identitySchema, type IdentitySettings } from "../schema.ts";
import type { Algorithm } from "../jwt/algorithms.ts";

export const NOW = Date.UTC(2026, 10, 21, 12);
export const ISSUER = "https://login.bank.example/";
export const AUDIENCE = "https://gateway.bank.example/mcp";

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly kid: string;
  readonly alg: Algorithm;
}

function pair(alg: Algorithm): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  if (alg === "EdDSA") return generateKeyPairSync("ed25519");
  if (alg === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  if (alg === "ES384") return generateKeyPairSync("ec", { namedCurve: "P-384" });
  return generateKeyPairSync("rsa", { modulusLength: 2_048 });
}

export function testKey(alg: Algorithm, kid: string = `key-${alg}`): TestKey {
  return { ...pair(alg), kid, alg };
}

export function publicJwk({ publicKey, kid, alg }: TestKey): Record<string, unknown> {
  return { ...publicKey.export({ format: "jwk" }), kid, alg };
}

/** JWS signing by Node's crypto alone (RFC 7518 section 3), so that no code under test makes the tokens. */
function signature(alg: string, key: KeyObject, input: Buffer): Buffer {
  if (alg === "EdDSA") return sign(null, input, key);
  if (alg === "ES256") return sign("sha256", input, { key, dsaEncoding: "ieee-p1363" });
  if (alg === "ES384") return sign("sha384", input, { key, dsaEncoding: "ieee-p1363" });
  if (alg === "PS256") return sign("sha256", input, { key, padding: 6, saltLength: 32 });
  return sign("sha256", input, key);
}

const part = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** A token of any header and claims; texts stand as they are. */
export function token(key: TestKey, claims: unknown, header: Record<string, unknown> | string = {}): string {
  const head = typeof header === "string" ? header : { alg: key.alg, typ: "at+jwt", kid: key.kid, ...header };
  const input = `${part(head)}.${part(claims)}`;
  return `${input}.${signature(key.alg, key.privateKey, Buffer.from(input)).toString("base64url")}`;
}

/** A token "signed" with a shared secret (RFC 7518 section 3.2). */
export function macToken(secret: Buffer | string, claims: unknown, header: Record<string, unknown>): string {
  const input = `${part({ alg: "HS256", typ: "at+jwt", ...header })}.${part(claims)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

/** A token that says it has no signature. */
export function bareToken(claims: unknown, alg: string): string {
  return `${part({ alg, typ: "at+jwt" })}.${part(claims)}.`;
}

/** Claims that are accepted. */
export function goodClaims(rest: Record<string, unknown> = {}): Record<string, unknown> {
  const now = NOW / 1_000;
  return { iss: ISSUER, aud: AUDIENCE, sub: "desk-7", iat: now - 10, nbf: now - 10, exp: now + 600, ...rest };
}

/** Settings with one issuer of these keys. */
export function settings(
  keys: readonly TestKey[],
  rest: Record<string, unknown> = {},
  whole: Record<string, unknown> = {},
): IdentitySettings {
  return identitySchema.parse({
    resource: AUDIENCE,
    jwt: [
      {
        issuer: ISSUER,
        audience: [AUDIENCE],
        jwks: { keys: keys.map(publicJwk) },
        algorithms: [...new Set(keys.map(({ alg }) => alg))],
        subjects: [{ subject: "desk-7", principal: "trading-desk" }],
        ...rest,
      },
    ],
    ...whole,
  });
}
