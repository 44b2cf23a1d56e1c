import { CmcpError, isJsonObject, fromBase64Url, parseJson, untrusted, type JsonObject } from "@cmcp/boundary";
import type { TokenEndpointResponse } from "oauth4webapi";
import { responseFault } from "./fault.ts";
import { sha256 } from "./keys.ts";
import { MAX_LIFETIME_MS, MAX_TOKEN, RENEW_BEFORE_MS, UNSAID_LIFETIME_MS } from "./limits.ts";
import { readScopes } from "./scopes.ts";

/** A token as RFC 6750 section 2.1 and RFC 9449 section 7.1 have it: nothing of it can end a header. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** What a grant is said to be in a record: nothing of it is a secret. */
export interface GrantNames {
  readonly issuer: string;
  readonly kind: string;
  /** Whom the token stands for, as the gateway knows it: a principal, or the client itself. */
  readonly subject: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  /** SHA-256 of the access token in the grant's own domain, base64url: an authorization server finds its token by it. */
  readonly digest: string;
}

/** An access token and what it is good for. */
export interface Grant extends GrantNames {
  readonly accessToken: string;
  readonly type: "bearer" | "dpop";
  readonly refreshToken: string | null;
  /** Monotonic milliseconds from which it is renewed. */
  readonly until: number;
}

/** What was asked for. */
export interface GrantRequest extends Pick<GrantNames, "issuer" | "kind" | "subject" | "audience"> {
  readonly scopes: readonly string[];
  readonly refreshToken: string | null;
  readonly proven: "never" | "offered" | "required";
  /** Monotonic milliseconds now. */
  readonly now: number;
}

/** The claims of a token that is a JWT; `null` for any other. They are not verified: they can only make a token unfit. */
function visibleClaims(token: string): JsonObject | null {
  const [, claims, signature, more] = token.split(".");
  const bytes = claims === undefined || signature === undefined || more !== undefined ? null : fromBase64Url(claims);
  if (bytes === undefined || bytes === null) return null;
  try {
    const read = parseJson(untrusted(bytes));
    return isJsonObject(read) ? read : null;
  } catch {
    return null;
  }
}

/** @throws CmcpError `AUTHORIZATION_RESPONSE_INVALID` for a token whose audience can be seen, and is another than was asked for (RFC 8707 section 2) */
function checkAudience(token: string, audience: string): void {
  const aud = visibleClaims(token)?.aud;
  if (aud === undefined) return;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const same = (one: unknown): boolean =>
    typeof one === "string" && (one === audience || `${one}/` === audience || one === `${audience}/`);
  if (!audiences.some(same)) throw responseFault("the authorization server issued a token for another audience");
}

function lifetime({ expires_in: seconds }: TokenEndpointResponse): number {
  const ms = seconds === undefined ? UNSAID_LIFETIME_MS : Math.min(seconds * 1000, MAX_LIFETIME_MS);
  return Math.max(0, ms - Math.min(RENEW_BEFORE_MS, ms / 2));
}

function requireToken(text: string, what: string): string {
  if (text.length > MAX_TOKEN || !TOKEN.test(text))
    throw responseFault(`the authorization server's ${what} is malformed`);
  return text;
}

/** Makes a grant of a token response. @throws CmcpError `AUTHORIZATION_RESPONSE_INVALID` */
export async function grantOf(response: TokenEndpointResponse, request: GrantRequest): Promise<Grant> {
  const { issuer, kind, subject, audience, proven, now } = request;
  const accessToken = requireToken(response.access_token, "access token");
  const type = response.token_type === "dpop" ? "dpop" : "bearer";
  if (type === "dpop" && proven === "never")
    throw responseFault("the authorization server bound the token to a key that it was not shown");
  if (type === "bearer" && proven === "required")
    throw responseFault("the authorization server did not bind the token to the key it was shown");
  checkAudience(accessToken, audience);
  const refreshToken = response.refresh_token ?? request.refreshToken;
  if (refreshToken !== null && refreshToken.length > MAX_TOKEN) throw responseFault("the refresh token is too long");
  const scopes = response.scope === undefined ? request.scopes : (readScopes(response.scope) ?? []);
  return {
    issuer,
    kind,
    subject,
    audience,
    scopes,
    digest: await sha256(`cmcp-grant-v1|${issuer}|${accessToken}`),
    accessToken,
    type,
    refreshToken,
    until: now + lifetime(response),
  };
}

/** The error of a grant that only a person can give. `detail.consent_url` is where it is given. */
export class ConsentRequired extends CmcpError {
  constructor(url: string) {
    super("CONSENT_REQUIRED", "the tool server needs a person's consent first", {
      detail: { sent: 0, consent_url: url },
    });
  }
}
