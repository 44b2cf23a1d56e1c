import { CmcpError } from "@cmcp/boundary";

/** Why an issuer's keys cannot be used; words for each. */
export const KEY_SET_FAULTS = {
  fetch: "they cannot be fetched",
  size: "the JWK set is too large",
  form: "what was fetched is not a JWK set",
  many: "the JWK set has too many keys",
  private: "the JWK set holds a private or shared key: whoever fetched it can sign tokens",
  duplicate: "two keys of the JWK set have one kid",
  none: "the JWK set has no key that the configuration accepts",
} as const;

export type KeySetFault = keyof typeof KEY_SET_FAULTS;

/** The error of keys that cannot be used; `detail.keys` is the {@link KeySetFault}. */
export function keySetFault(keys: KeySetFault, cause?: unknown): CmcpError {
  return new CmcpError("ISSUER_KEYS_UNAVAILABLE", `the issuer's keys: ${KEY_SET_FAULTS[keys]}`, {
    cause,
    detail: { keys },
  });
}
