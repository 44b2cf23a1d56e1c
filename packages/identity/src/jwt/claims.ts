import { fromBase64Url, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { MAX_AUDIENCES } from "../limits.ts";
import { tokenFault, type TokenFault } from "./fault.ts";
import type { TokenRules } from "./rules.ts";

/** Registered claims of an accepted token. */
export interface CheckedClaims {
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** `jkt` of a token that is bound to a key (RFC 9449 section 6.1); `null` for a bearer token. */
  readonly thumbprint: string | null;
}

/** NumericDate (RFC 7519 section 2) in milliseconds; `null` when absent. */
function date(value: JsonValue | undefined, fault: TokenFault): number | null {
  if (value === undefined) return null;
  if (typeof value !== "number" || value < 0) throw tokenFault(fault);
  return value * 1_000;
}

function namesUs(value: JsonValue | undefined, audience: readonly string[]): boolean {
  const named = typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
  return named.length <= MAX_AUDIENCES && named.some((one) => typeof one === "string" && audience.includes(one));
}

/**
 * Holds the registered claims (RFC 7519 section 4.1) of a verified token to the configuration of its issuer.
 * @param now milliseconds since 1970
 * @throws CmcpError `UNAUTHENTICATED` with the reason
 */
export function checkClaims(claims: JsonObject, settings: TokenRules, now: number): CheckedClaims {
  if (!namesUs(claims.aud, settings.audience)) throw tokenFault("audience");
  const skew = settings.clock_skew_seconds * 1_000;
  const expiresAt = date(claims.exp, "lifetime");
  if (expiresAt === null || expiresAt > now + settings.max_lifetime_seconds * 1_000 + skew)
    throw tokenFault("lifetime");
  if (expiresAt + skew <= now) throw tokenFault("expired");
  const from = Math.max(date(claims.nbf, "early") ?? 0, date(claims.iat, "early") ?? 0);
  if (from > now + skew) throw tokenFault("early");
  const { sub } = claims;
  if (typeof sub !== "string" || sub === "" || !settings.isSubject(sub)) throw tokenFault("subject");
  return { subject: sub, expiresAt: expiresAt + skew, thumbprint: thumbprintOf(claims) };
}

/** RFC 7800: whoever accepts a bound token must see the proof of its key. A binding of another kind is refused. */
function thumbprintOf({ cnf }: JsonObject): string | null {
  if (cnf === undefined) return null;
  if (!isJsonObject(cnf)) throw tokenFault("bound");
  const { jkt, ...others } = cnf;
  if (typeof jkt !== "string" || fromBase64Url(jkt)?.byteLength !== 32 || Object.keys(others).length > 0)
    throw tokenFault("bound");
  return jkt;
}
