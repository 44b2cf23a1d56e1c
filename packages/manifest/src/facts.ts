import type { ReadManifest } from "./read-manifest.ts";

/** Where the subject that a manifest is held to comes from: a verified JWT, or the principal of a bearer token. */
export type SubjectSource = "svid" | "config";

/** Enforcement modes as configurations and claims name them, by the manifest's words. */
const MODES = { enforce: "enforcing", advisory: "advisory", "audit-only": "silent" } as const;
type Mode = (typeof MODES)[keyof typeof MODES];

/** What is kept of a manifest once its signature has verified. */
export interface ManifestFacts {
  /** `sha256:` and hex, over what the issuer signed. */
  readonly thumbprint: string;
  /** In lower case. */
  readonly manifestId: string;
  readonly agentId: string;
  readonly issuer: string;
  /** Hex SHA-256 of the issuer's key. */
  readonly keyId: string;
  /** Of the policy bundle that it binds. */
  readonly policyHash: string;
  /** Of the catalog; `null` where it binds none. */
  readonly catalogHash: string | null;
  /** The mode it asks for, as configurations name it; `null` for none. */
  readonly mode: Mode | null;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** `sha256:` and hex, over the canonical JSON of the declared intent; `null` where none is declared. */
  readonly intentHash: string | null;
}

/** @param hashes hex SHA-256 of the manifest's `identified` and `intent` */
export function factsOf(
  { members, keyId }: Pick<ReadManifest, "members" | "keyId">,
  hashes: { readonly identified: string; readonly intent: string | null },
): ManifestFacts {
  const { policy_bundle: policy, tool_manifest: tools } = members.artifacts;
  return {
    thumbprint: `sha256:${hashes.identified}`,
    manifestId: members.manifest_id.toLowerCase(),
    agentId: members.agent_id,
    issuer: members.issuer,
    keyId,
    policyHash: policy.hash,
    catalogHash: tools?.catalog_hash ?? null,
    mode: policy.enforcement_mode === undefined ? null : MODES[policy.enforcement_mode],
    issuedAt: Date.parse(members.issued_at),
    expiresAt: Date.parse(members.expires_at),
    intentHash: hashes.intent === null ? null : `sha256:${hashes.intent}`,
  };
}

/** `gateway.agent_identity` of a claim. */
export interface AgentIdentity {
  readonly manifest_id: string;
  readonly agent_id: string;
  readonly authenticated_subject: string;
  readonly subject_source: SubjectSource;
  readonly issuer: string;
  readonly issuer_key_id: string;
  readonly policy_bundle_hash: string;
  readonly tool_catalog_hash: string;
  readonly intent_hash?: string;
  readonly enforcement_mode?: Mode;
}

/** Of a manifest that was held to the catalog in force, so it names one. */
export type BoundFacts = ManifestFacts & { readonly catalogHash: string };

/** What a claim says of the agent of its session. The manifest was held to the subject, so both are one. */
export function agentIdentity(facts: BoundFacts, source: SubjectSource): AgentIdentity {
  const { mode } = facts;
  return {
    manifest_id: facts.manifestId,
    agent_id: facts.agentId,
    authenticated_subject: facts.agentId,
    subject_source: source,
    issuer: facts.issuer,
    issuer_key_id: facts.keyId,
    policy_bundle_hash: facts.policyHash,
    tool_catalog_hash: facts.catalogHash,
    ...(facts.intentHash === null ? {} : { intent_hash: facts.intentHash }),
    ...(mode === null ? {} : { enforcement_mode: mode }),
  };
}

/** What a root entry says of the agent of its session, beside the manifest's thumbprint. Policy and catalog stand there already. */
export function manifestDetail(facts: ManifestFacts, source: SubjectSource): Readonly<Record<string, string>> {
  const { mode } = facts;
  return {
    agent_manifest_id: facts.manifestId,
    agent_id: facts.agentId,
    agent_subject_source: source,
    agent_issuer: facts.issuer,
    agent_issuer_key: facts.keyId,
    ...(facts.intentHash === null ? {} : { agent_intent: facts.intentHash }),
    ...(mode === null ? {} : { agent_enforcement_mode: mode }),
  };
}
