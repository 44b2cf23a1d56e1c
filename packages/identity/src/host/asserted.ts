import { examine, readSpiffeId, type Untrusted } from "@cmcp/boundary";
import type { IdentitySettings } from "../schema.ts";

declare const hostsWord: unique symbol;

/**
 * A property of a caller that only the host asserts. It is opaque: it can become labels for policies and records, and
 * nothing
 * else. No function turns it into an `AuthenticatedCaller`.
 */
export interface HostAsserted<T> {
  readonly [hostsWord]: T;
}

/** What a host that ends the agents' TLS can report of a client certificate. */
export interface PeerIdentity {
  readonly spiffeId: string;
  readonly trustDomain: string;
}

function asserted<T>(value: T): HostAsserted<T> {
  return value as unknown as HostAsserted<T>;
}

/** Labels as policies and records see them. The name of each says where it comes from. */
export interface HostAssertedLabels {
  readonly host_asserted_source: "host-asserted";
  readonly host_asserted_spiffe_id: string;
  readonly host_asserted_trust_domain: string;
}

/**
 * Reads the SPIFFE ID that the host asserts for a peer; `null` if it is not a SPIFFE ID or its trust domain is not
 * configured.
 */
export function readHostAsserted(
  spiffeId: Untrusted<string>,
  settings: IdentitySettings["host_asserted"],
): HostAsserted<PeerIdentity> | null {
  const id = readSpiffeId(examine(spiffeId));
  if (id === null || !(settings?.trust_domains.includes(id.trustDomain) ?? false)) return null;
  return asserted({ spiffeId: id.text, trustDomain: id.trustDomain });
}

/** The labels of a host's assertion: all that can be done with one. */
export function hostAssertedLabels(value: HostAsserted<PeerIdentity>): HostAssertedLabels {
  const { spiffeId, trustDomain } = value as unknown as PeerIdentity;
  return {
    host_asserted_source: "host-asserted",
    host_asserted_spiffe_id: spiffeId,
    host_asserted_trust_domain: trustDomain,
  };
}
