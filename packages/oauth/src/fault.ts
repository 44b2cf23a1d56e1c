import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import { AuthorizationResponseError, ResponseBodyError, WWWAuthenticateChallengeError } from "oauth4webapi";

/** Error codes of RFC 6749 section 5.2, RFC 8693 and RFC 9449 that a message may repeat: an authorization server chooses the text. */
const KNOWN_ERRORS: ReadonlySet<string> = new Set([
  "access_denied",
  "interaction_required",
  "invalid_client",
  "invalid_dpop_proof",
  "invalid_grant",
  "invalid_request",
  "invalid_scope",
  "invalid_target",
  "login_required",
  "server_error",
  "temporarily_unavailable",
  "unauthorized_client",
  "unsupported_grant_type",
  "use_dpop_nonce",
]);

const named = (error: string): string => (KNOWN_ERRORS.has(error) ? error : "an error of its own");

/** Metadata that is not what it has to be. */
export function metadataFault(message: string, cause?: unknown): CmcpError {
  return new CmcpError("AUTHORIZATION_METADATA_INVALID", message, { cause });
}

/** A response that is not what it has to be. */
export function responseFault(message: string, cause?: unknown): CmcpError {
  return new CmcpError("AUTHORIZATION_RESPONSE_INVALID", message, { cause });
}

/** A refusal of an authorization server's, or of the person it asked. */
export function refusalFault(error: string, cause?: unknown): CmcpError {
  const code: ErrorCode =
    error === "server_error" || error === "temporarily_unavailable"
      ? "AUTHORIZATION_UNAVAILABLE"
      : "AUTHORIZATION_REFUSED";
  return new CmcpError(code, `the authorization server answered with ${named(error)}`, { cause });
}

/** What went wrong with a response, without its text: it may hold a token. */
export function asAuthorizationFault(thrown: unknown): CmcpError {
  if (thrown instanceof CmcpError) return thrown;
  if (thrown instanceof ResponseBodyError) return refusalFault(thrown.error);
  if (thrown instanceof AuthorizationResponseError) return refusalFault(thrown.error);
  if (thrown instanceof WWWAuthenticateChallengeError) return refusalFault("invalid_client");
  return responseFault("the authorization server's response is not valid");
}

/** Whether an authorization server said that what a grant was made of counts no longer (RFC 6749 section 5.2). */
export function isGrantLost(thrown: unknown): boolean {
  return thrown instanceof ResponseBodyError && (thrown.error === "invalid_grant" || thrown.error === "invalid_scope");
}

/** Whether an authorization server said that it does not know the client (RFC 6749 section 5.2). */
export function isClientLost(thrown: unknown): boolean {
  if (thrown instanceof WWWAuthenticateChallengeError) return true;
  return thrown instanceof ResponseBodyError && thrown.error === "invalid_client";
}
