/**
 * Whether a token has the form of a signed JWT in compact form (RFC 7515 section 3.1); says nothing about whether it is
 * one.
 */
export function looksLikeJwt(token: string): boolean {
  return /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/.test(token);
}
