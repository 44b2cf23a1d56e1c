import type { IdentitySettings } from "../schema.ts";
import { metadataUrl } from "./identifier.ts";

/**
 * What was wrong (RFC 6750 section 3.1). `missing`: no token was sent, and then nothing is said about errors.
 * `invalid`: it is not accepted.
 */
export type ChallengeCause = "missing" | "invalid";

const ERRORS: Readonly<Record<ChallengeCause, string | null>> = { missing: null, invalid: "invalid_token" };

/**
 * The value of `WWW-Authenticate` on a 401 (RFC 6750 section 3, RFC 9728 section 5.1). It holds nothing of the request.
 */
export function challenge(
  cause: ChallengeCause,
  { resource, jwt }: Pick<IdentitySettings, "resource" | "jwt">,
): string {
  const error = ERRORS[cause];
  const parameters = [
    ...(error === null ? [] : [`error="${error}"`]),
    // A URL as `new URL` writes it has no quotation mark and no reverse solidus.
    ...(resource == null || jwt.length === 0 ? [] : [`resource_metadata="${metadataUrl(resource)}"`]),
  ];
  return parameters.length === 0 ? "Bearer" : `Bearer ${parameters.join(", ")}`;
}
