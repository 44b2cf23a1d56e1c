import type { History } from "@cmcp/audit";

/** What every root entry says about its instance. */
export interface RootFacts {
  readonly instance: string;
  readonly policy: { readonly hash: string; readonly version: string };
  readonly catalogHash: string;
  readonly enforcementMode: string;
  readonly launchDigest: string;
  readonly platform: string;
  readonly isolation: "network-namespace" | "none";
  readonly history: History;
  /** The provisioning in force; `null` before the first. */
  readonly provision: { readonly sequence: number; readonly hash: string } | null;
}

/** The `detail` of a root entry. */
export function rootDetail(facts: RootFacts, principal: string): Record<string, string | number> {
  const { history, provision } = facts;
  return {
    instance: facts.instance,
    principal,
    policy_hash: facts.policy.hash,
    policy_version: facts.policy.version,
    catalog_hash: facts.catalogHash,
    enforcement_mode: facts.enforcementMode,
    launch_digest: facts.launchDigest,
    platform: facts.platform,
    isolation: facts.isolation,
    channel: "plain",
    session_isolation: "gateway",
    history: history.state,
    ...(history.state === "complete" ? {} : { history_reason: history.reason }),
    ...(provision === null ? {} : { provision_sequence: provision.sequence, provision_hash: provision.hash }),
  };
}
