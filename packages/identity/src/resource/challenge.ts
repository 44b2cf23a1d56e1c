import { PROOF_ALGORITHMS } from "../dpop/proof.ts";
import type { ProofFault } from "../dpop/fault.ts";
import type { IdentitySettings } from "../schema.ts";
import { metadataUrl } from "./identifier.ts";

/**
 * What was wrong (RFC 6750 section 3.1). `missing`: no token was sent, and then nothing is said about errors.
 * `invalid`: it is not accepted. `scope`: it is, and has none of the scopes that are needed. `proof`: the proof of its
 * key is not accepted, or there is none.
 */
export type ChallengeCause =
  | { readonly kind: "missing" | "invalid" }
  | { readonly kind: "scope"; readonly scopes: string }
  | { readonly kind: "proof"; readonly fault: ProofFault };

const ERRORS: Readonly<Record<Exclude<ChallengeCause["kind"], "proof">, string | null>> = {
  missing: null,
  invalid: "invalid_token",
  scope: "insufficient_scope",
};

/** RFC 9449 sections 7.1 and 9: what is wrong with the token, with the proof, or only with its nonce. */
const PROOF_ERRORS: Readonly<Partial<Record<ProofFault, string>>> = {
  nonce: "use_dpop_nonce",
  missing: "invalid_token",
  unbound: "invalid_token",
  binding: "invalid_token",
};

const ALGORITHMS = `algs="${PROOF_ALGORITHMS.join(" ")}"`;

function errorOf(cause: ChallengeCause): string | null {
  return cause.kind === "proof" ? (PROOF_ERRORS[cause.fault] ?? "invalid_dpop_proof") : ERRORS[cause.kind];
}

/**
 * The value of `WWW-Authenticate` on a 401, and on a 403 for want of a scope (RFC 6750 section 3, RFC 9449 section 7.1,
 * RFC 9728 section 5.1). It holds nothing of the request.
 */
export function challenge(
  cause: ChallengeCause,
  { resource, jwt }: Pick<IdentitySettings, "resource" | "jwt">,
): string {
  const error = errorOf(cause);
  const parameters = [
    ...(error === null ? [] : [`error="${error}"`]),
    // The configuration's scopes, whose characters need no escape (RFC 6749 section 3.3).
    ...(cause.kind === "scope" ? [`scope="${cause.scopes}"`] : []),
    // A URL as `new URL` writes it has no quotation mark and no reverse solidus.
    ...(resource == null || jwt.length === 0 ? [] : [`resource_metadata="${metadataUrl(resource)}"`]),
  ];
  if (cause.kind === "proof") return `DPoP ${[...parameters, ALGORITHMS].join(", ")}`;
  const bearer = parameters.length === 0 ? "Bearer" : `Bearer ${parameters.join(", ")}`;
  return jwt.some(({ require_dpop: isRequired }) => isRequired) ? `${bearer}, DPoP ${ALGORITHMS}` : bearer;
}
