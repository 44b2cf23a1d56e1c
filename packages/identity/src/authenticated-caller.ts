import type { ClaimValue } from "./jwt/project.ts";

/**
 * How a caller is identified. `bearer`: by a provisioned token. `tokenless`: not at all, in development. What the host
 * asserts is not an identity.
 */
export type IdentitySource = "jwt" | "bearer" | "tokenless";

declare const proof: unique symbol;

/**
 * A caller whose token this package has verified. No other code can make one, and no host assertion can become one.
 */
export interface AuthenticatedCaller {
  readonly [proof]: "verified";
  readonly source: "jwt";
  readonly principalId: string;
  /** Workflows the caller may name; `null` for all of its principal's. */
  readonly workflows: readonly string[] | null;
  readonly issuer: string;
  readonly subject: string;
  /** SHA-256 thumbprint (RFC 7638) of the key whose possession the caller proved; `null` for a bearer token. */
  readonly thumbprint: string | null;
  /** Hash of the fetched JWK set whose key verified the token; `null` where the keys are measured. */
  readonly keySet: string | null;
  readonly claims: ReadonlyMap<string, ClaimValue>;
  /** When the token expires, clock skew included, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Only for code that has just verified the token. */
export function authenticatedCaller(verified: Omit<AuthenticatedCaller, typeof proof>): AuthenticatedCaller {
  return verified as AuthenticatedCaller;
}
