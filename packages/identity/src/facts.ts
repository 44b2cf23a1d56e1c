import type { Authenticated } from "./authenticated.ts";
import { hostAssertedLabels, type HostAsserted, type PeerIdentity } from "./host/asserted.ts";
import type { ClaimValue } from "./jwt/project.ts";

/** How the caller was recognised. `bearer`: a provisioned token. `tokenless`: not at all, in development. */
export type IdentitySource = "jwt" | "bearer" | "tokenless";

/** A value policies can read. */
export type IdentityFact = ClaimValue;

/**
 * What policies and records see of a caller, flat: `identity_source`, for a JWT `identity_issuer`, `identity_subject`
 * and `claim_<name>`, and, whatever the source, what the host says under names that begin with `host_asserted_`.
 * The host's word never changes what stands under the other names.
 */
export function identityFacts(caller: Authenticated | "bearer" | "tokenless", asserted: HostAsserted<PeerIdentity> | null): ReadonlyMap<string, IdentityFact> {
  const facts = new Map<string, IdentityFact>();
  if (typeof caller === "string") {
    facts.set("identity_source", caller);
  } else {
    facts.set("identity_source", caller.source).set("identity_issuer", caller.issuer).set("identity_subject", caller.subject);
    for (const [name, value] of caller.claims) facts.set(`claim_${name}`, value);
  }
  if (asserted !== null) for (const [name, value] of Object.entries(hostAssertedLabels(asserted))) facts.set(name, value as string);
  return facts;
}
