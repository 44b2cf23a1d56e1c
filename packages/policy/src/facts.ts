import type { JsonObject } from "@cmcp/boundary";
import type { CatalogTool } from "@cmcp/catalog";

/** What is known about a call when it is decided. Every value but `arguments` comes from the gateway itself. */
export interface CallFacts {
  readonly principal: { readonly id: string; readonly userIdentity?: string };
  readonly sessionId: string;
  readonly workflowId: string;
  readonly workflowAllowedTools: readonly string[];
  /** Label of the session as it stands. */
  readonly sessionSensitivity: string;
  /** Highest label of the session; it never falls. */
  readonly sessionMaxSensitivity: string;
  /** Rank of {@link sessionMaxSensitivity}. */
  readonly sensitivityLevelInt: number;
  readonly enforcementMode: string;
  readonly catalogHash: string;
  readonly attestationPlatform: string;
  readonly channel: "plain" | "sealed";
  readonly isolation: string;
  readonly sessionIsolation: string;
  readonly tool: CatalogTool;
  /** The caller's arguments, already parsed by a strict reader. */
  readonly arguments: JsonObject;
}

/** A Cedar type the gateway can supply; `Set` is a set of strings. */
export type FactKind = "String" | "Long" | "Bool" | "Set";
/** A value of a {@link FactKind}. */
export type FactValue = string | number | boolean | readonly string[];

/** One attribute a policy may read. */
export interface Fact {
  readonly kind: FactKind;
  /** False for an attribute the normative schema requires but nothing tells the gateway: no policy may rest on it. */
  readonly sourced: boolean;
  /** `undefined` when this call has no such value. */
  readonly of: (facts: CallFacts) => FactValue | undefined;
}

/** Attributes by name. A Map, because names come from a bundle. */
export type FactTable = ReadonlyMap<string, Fact>;

const text = (of: Fact["of"]): Fact => ({ kind: "String", sourced: true, of });
const truth = (of: Fact["of"]): Fact => ({ kind: "Bool", sourced: true, of });
const whole = (of: Fact["of"]): Fact => ({ kind: "Long", sourced: true, of });

/** Attributes of the principal entity. */
export const PRINCIPAL_FACTS: FactTable = new Map([
  ["session_id", text((facts) => facts.sessionId)],
  ["workflow_id", text((facts) => facts.workflowId)],
  ["user_identity", text((facts) => facts.principal.userIdentity)],
]);

/** Attributes of the resource entity: the tool as the catalog has it. */
export const RESOURCE_FACTS: FactTable = new Map<string, Fact>([
  ["tool_name", text((facts) => facts.tool.toolName)],
  ["server_identity", text((facts) => facts.tool.server.identity)],
  ["compliance_domain", text((facts) => facts.tool.complianceDomain)],
  ["baa_covered", truth((facts) => facts.tool.baaCovered)],
  ["requires_baa", truth((facts) => facts.tool.requiresBaa)],
  ["destination_class", text((facts) => facts.tool.destinationClass)],
  ["tool_category", { kind: "String", sourced: false, of: (facts) => facts.tool.toolCategory }],
  ["sensitivity_level", text((facts) => facts.tool.sensitivityLevel)],
]);

/** Attributes of the context, `arguments` apart. `sensitivity_level` is the rank older bundles read there. */
export const CONTEXT_FACTS: FactTable = new Map<string, Fact>([
  ["session_id", text((facts) => facts.sessionId)],
  ["session_sensitivity", text((facts) => facts.sessionSensitivity)],
  ["session_max_sensitivity", text((facts) => facts.sessionMaxSensitivity)],
  ["sensitivity_level_int", whole((facts) => facts.sensitivityLevelInt)],
  ["sensitivity_level", whole((facts) => facts.sensitivityLevelInt)],
  ["workflow_id", text((facts) => facts.workflowId)],
  ["workflow_allowed_tools", { kind: "Set", sourced: true, of: (facts) => facts.workflowAllowedTools }],
  ["enforcement_mode", text((facts) => facts.enforcementMode)],
  ["catalog_hash", text((facts) => facts.catalogHash)],
  ["attestation_platform", text((facts) => facts.attestationPlatform)],
  ["channel", text((facts) => facts.channel)],
  ["isolation", text((facts) => facts.isolation)],
  ["session_isolation", text((facts) => facts.sessionIsolation)],
  ["server_identity", text((facts) => facts.tool.server.identity)],
  ["compliance_domain", text((facts) => facts.tool.complianceDomain)],
  ["baa_covered", truth((facts) => facts.tool.baaCovered)],
  ["requires_baa", truth((facts) => facts.tool.requiresBaa)],
  ["destination_class", text((facts) => facts.tool.destinationClass)],
]);

/** Context attributes that a session's past decides; a forbid that reads one denies because of that past. */
export const SENSITIVITY_ATTRIBUTES: ReadonlySet<string> = new Set(["session_sensitivity", "session_max_sensitivity", "sensitivity_level_int", "sensitivity_level"]);
