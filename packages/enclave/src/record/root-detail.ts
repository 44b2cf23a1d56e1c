import type { History } from "@cmcp/audit";
import type { Session } from "@cmcp/session";
import { provisionDetail, type ProvisionInForce } from "./provision-detail.ts";

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
  /** The keys that requests are sealed to, as the instance's report names them. */
  readonly sealKeys: string;
  /** The log whose loss opened this one's epoch; `null` in the first epoch. */
  readonly lostStore: string | null;
  /** Key ids of the auditors that can open commitments. */
  readonly auditors: readonly string[];
  /** Who may approve calls, each name with a digest of its key; `null` for nobody. */
  readonly approvers: string | null;
  /** The provisioning in force; `null` before the first. */
  readonly provision: ProvisionInForce | null;
  /** The conformance profile whose conditions the configuration meets; `null` for none. */
  readonly profile: string | null;
}

/** The `detail` of a root entry. */
export function rootDetail(
  facts: RootFacts,
  { principalId, channel }: Pick<Session, "principalId" | "channel">,
): Record<string, string | number> {
  const { history, lostStore, provision, approvers } = facts;
  return {
    instance: facts.instance,
    principal: principalId,
    policy_hash: facts.policy.hash,
    policy_version: facts.policy.version,
    catalog_hash: facts.catalogHash,
    enforcement_mode: facts.enforcementMode,
    launch_digest: facts.launchDigest,
    platform: facts.platform,
    isolation: facts.isolation,
    channel,
    seal_keys: facts.sealKeys,
    session_isolation: "gateway",
    commitments: "salted",
    disclosure: facts.auditors.length === 0 ? "none" : facts.auditors.join(","),
    history: history.state,
    ...(history.state === "complete" ? {} : { history_reason: history.reason }),
    ...(lostStore === null ? {} : { lost_store: lostStore }),
    ...(approvers === null ? {} : { approvers }),
    ...(provision === null ? {} : provisionDetail(provision)),
    ...(facts.profile === null ? {} : { conformance_profile: facts.profile }),
  };
}
