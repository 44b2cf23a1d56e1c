import { PROOF_ALGORITHMS } from "../dpop/proof.ts";
import type { IdentitySettings } from "../schema.ts";

/** Protected resource metadata (RFC 9728 section 2), as far as it says something here. */
export interface ResourceMetadata {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly bearer_methods_supported: readonly ["header"];
  readonly scopes_supported?: readonly string[];
  readonly dpop_signing_alg_values_supported: readonly string[];
  readonly dpop_bound_access_tokens_required?: true;
}

/**
 * The document that tells a client where to get a token; `null` where no issuer is configured, as there is then nothing
 * to say.
 */
export function resourceMetadata({
  resource,
  jwt,
  scopes_supported: scopes,
}: IdentitySettings): ResourceMetadata | null {
  if (resource == null || jwt.length === 0) return null;
  return {
    resource,
    authorization_servers: jwt.map(({ issuer }) => issuer),
    bearer_methods_supported: ["header"],
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
    dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
    ...(jwt.every(({ require_dpop: isRequired }) => isRequired) ? { dpop_bound_access_tokens_required: true } : {}),
  };
}
