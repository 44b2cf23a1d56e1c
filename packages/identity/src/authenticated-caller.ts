import type { ClaimValue } from "./jwt/project.ts";

/**
 * How a caller was recognised. `bearer`: a provisioned token. `tokenless`: not at all, in development. The host's word
 * is none.
 */
export type IdentitySource = "jwt" | "bearer" | "tokenless";

declare const proof: unique symbol;

/**
 * A caller whose token this package has verified. No other code can make one, and the host's word cannot become one.
 */
export interface AuthenticatedCaller {
  readonly [proof]: "verified";
  readonly source: "jwt";
  readonly principalId: string;
  /** Workflows the caller may name; `null` for all of its principal's. */
  readonly workflows: readonly string[] | null;
  readonly issuer: string;
  readonly subject: string;
  readonly claims: ReadonlyMap<string, ClaimValue>;
  /** Milliseconds since 1970 from which on the token counts no more, clock skew included. */
  readonly expiresAt: number;
}

/** Only for code that has just verified what it passes on. */
export function authenticatedCaller(verified: Omit<AuthenticatedCaller, typeof proof>): AuthenticatedCaller {
  return verified as AuthenticatedCaller;
}
