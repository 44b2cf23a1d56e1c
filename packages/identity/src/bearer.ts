import { MAX_TOKEN } from "./limits.ts";

// RFC 6750 section 2.1: b64token. The scheme's name is compared without case (RFC 9110 section 11.1).
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** The token of an `Authorization` header; `null` when there is none, it is of another scheme, or longer than {@link MAX_TOKEN}. */
export function bearerToken(authorization: string | null): string | null {
  if (authorization === null || authorization.length > MAX_TOKEN + "bearer ".length) return null;
  return BEARER.exec(authorization)?.[1] ?? null;
}

/** Whether a token has the form of a signed JWT in compact form (RFC 7515 section 3.1); says nothing about whether it is one. */
export function looksLikeJwt(token: string): boolean {
  return /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/.test(token);
}
