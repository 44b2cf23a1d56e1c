import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { MAX_AUDIENCES } from "../limits.ts";
import type { IssuerSettings } from "../schema.ts";
import { tokenFault, type TokenFault } from "./fault.ts";

/** Registered claims of an accepted token. */
export interface CheckedClaims {
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
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
export function checkClaims(claims: JsonObject, settings: IssuerSettings, now: number): CheckedClaims {
  if (!namesUs(claims.aud, settings.audience)) throw tokenFault("audience");
  const skew = settings.clock_skew_seconds * 1_000;
  const expiresAt = date(claims.exp, "lifetime");
  if (expiresAt === null || expiresAt > now + settings.max_lifetime_seconds * 1_000 + skew)
    throw tokenFault("lifetime");
  if (expiresAt + skew <= now) throw tokenFault("expired");
  const from = Math.max(date(claims.nbf, "early") ?? 0, date(claims.iat, "early") ?? 0);
  if (from > now + skew) throw tokenFault("early");
  // RFC 7800: whoever accepts such a token must see the proof of the key. There is none to see here.
  if (claims.cnf !== undefined) throw tokenFault("bound");
  const { sub } = claims;
  if (typeof sub !== "string" || sub === "") throw tokenFault("subject");
  return { subject: sub, expiresAt: expiresAt + skew };
}
