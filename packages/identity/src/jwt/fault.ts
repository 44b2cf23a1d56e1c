import { CmcpError } from "@cmcp/boundary";

/** Why a JWT is refused, for metrics and operators; words for each. */
export const TOKEN_FAULTS = {
  size: "it is too long",
  form: "it is not a signed JWT in compact form",
  header: "its header is not one that is accepted",
  algorithm: "its algorithm is not one the configuration allows",
  type: "it is not an access token",
  issuer: "its issuer is not one the configuration names",
  key: "no key of its issuer fits",
  signature: "its signature does not verify",
  audience: "it is for somebody else",
  expired: "it has expired",
  early: "it is not valid yet",
  lifetime: "it has no end, or one too far away",
  bound: "it is bound to something else than the key of a DPoP proof, which is not supported",
  unbound: "the configuration takes only tokens of this issuer that are bound to a key",
  subject: "its subject is not one the configuration allows",
  scope: "its scopes are not text",
  claims: "a claim that policies read is of another type or too large",
} as const;

export type TokenFault = keyof typeof TOKEN_FAULTS;

/** The error of a token that is refused; `detail.reason` is the {@link TokenFault}. Nothing of the token is in it. */
export function tokenFault(reason: TokenFault, cause?: unknown): CmcpError {
  return new CmcpError("UNAUTHENTICATED", `the bearer token is refused: ${TOKEN_FAULTS[reason]}`, {
    cause,
    detail: { reason },
  });
}
