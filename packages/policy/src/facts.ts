import type { JsonObject } from "@cmcp/boundary";
import type { Approved, AskedResource, CatalogPrompt, CatalogTool } from "@cmcp/catalog";
import type { GovernedAction } from "./actions.ts";

/** Whoever asks, as the gateway authenticated them. */
export interface PrincipalFacts {
  readonly id: string;
  /** `bearer`, `jwt` or `tokenless`. A rule that reads it denies where nobody said. */
  readonly identitySource?: string;
  /** Issuer of the JWT. */
  readonly identityIssuer?: string;
  /** Subject of the JWT, as its issuer names it. */
  readonly userIdentity?: string;
  /** Claims of the JWT that the configuration projects, each as `name=value`. */
  readonly identityClaims?: readonly string[];
  /** The peer's SPIFFE ID by the host's word alone. */
  readonly hostAssertedIdentity?: string;
}

/** What is known of whoever asks, of the session and of the gateway, whatever is asked for. Every value comes from the gateway itself. */
export interface RequestFacts {
  readonly principal: PrincipalFacts;
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
  /** What the bundle declares of the principal's past, by name. */
  readonly history: Readonly<Record<string, number>>;
  /** False if some of it may be too low. */
  readonly historyComplete: boolean;
}

/** A tool, and what is done with it: `tools/call`, or a request its server puts to the client while the call runs. */
export interface CallFacts extends RequestFacts {
  /** `call_tool` when absent. */
  readonly action?: "call_tool" | "ask_client";
  readonly tool: CatalogTool;
  /** The caller's arguments, already parsed by a strict reader. */
  readonly arguments: JsonObject;
  /** With `ask_client`: the method of the server's request. */
  readonly requestMethod?: string;
}

/** A resource or template, and what is done with it. */
export interface ResourceFacts extends RequestFacts {
  readonly action: "list_resource" | "read_resource" | "subscribe_resource" | "complete" | "ask_client";
  /** With `list_resource` and `complete`, a template itself is what is asked about: its text is the `uri`, and it has no variables. */
  readonly resource: AskedResource;
  /** With `complete`: the argument that is being completed, and the others as far as they are known. */
  readonly completion?: Completion;
  readonly requestMethod?: string;
}

/** A prompt, and what is done with it. */
export interface PromptFacts extends RequestFacts {
  readonly action: "get_prompt" | "complete" | "ask_client";
  readonly prompt: CatalogPrompt;
  /** The caller's arguments, already parsed by a strict reader. */
  readonly arguments: JsonObject;
  readonly completion?: Completion;
  readonly requestMethod?: string;
}

/** The part of `completion/complete` that policies may look at. The typed text is not: it changes with every key. */
export interface Completion {
  readonly argumentName: string;
  /** `context.arguments` of the request. */
  readonly known: JsonObject;
}

/** Everything that is decided. */
export type GovernedFacts = CallFacts | ResourceFacts | PromptFacts;

/** What a request is about. */
export function subjectOf(facts: GovernedFacts): Approved {
  if ("tool" in facts) return facts.tool;
  return "prompt" in facts ? facts.prompt : facts.resource.resource;
}

/** The arguments that policies may look at. */
export function argumentsOf(facts: GovernedFacts): JsonObject {
  if ("completion" in facts && facts.completion !== undefined) return facts.completion.known;
  return "resource" in facts ? Object.fromEntries(facts.resource.variables) : facts.arguments;
}

/** A Cedar type the gateway can supply. */
export type FactType =
  | { readonly kind: "String" | "Long" | "Bool" }
  | { readonly kind: "Set"; readonly element: FactType }
  | {
      readonly kind: "Record";
      readonly members: ReadonlyMap<string, FactType>;
      /** Type of the members whose names a bundle chooses; absent where it chooses none. */
      readonly others?: FactType;
    };

/** A value of a {@link FactType}. */
export type FactValue = string | number | boolean | readonly FactValue[] | { readonly [member: string]: FactValue };

/** A scalar type. */
export const STRING: FactType = { kind: "String" };
/** A scalar type: a 64-bit number, of which the gateway supplies safe integers. */
export const LONG: FactType = { kind: "Long" };
/** A scalar type. */
export const BOOL: FactType = { kind: "Bool" };
/** A set of texts. */
export const STRINGS: FactType = { kind: "Set", element: STRING };

/** A record that always has each of these members. */
export function recordType(members: Readonly<Record<string, FactType>>): FactType {
  return { kind: "Record", members: new Map(Object.entries(members)) };
}

/** The type of a record's member; `undefined` for a member that no record of the type has, and for another type. */
export function memberType(type: FactType, name: string): FactType | undefined {
  return type.kind === "Record" ? (type.members.get(name) ?? type.others) : undefined;
}

/** One attribute a policy may read. */
export interface Fact {
  readonly type: FactType;
  /** False for an attribute the normative schema requires but nothing tells the gateway: no policy may rest on it. */
  readonly sourced: boolean;
  /** True when some requests have no such value, so that a schema must declare it optional. */
  readonly optional: boolean;
  /** The actions whose requests have such a value, and always do; `null` for an attribute of every request. */
  readonly on: readonly GovernedAction[] | null;
  /** `undefined` when this request has no such value. */
  readonly of: (facts: GovernedFacts) => FactValue | undefined;
}

/** Whether requests of an action have a fact. @param action `null` for the call of a tool that has an action of its own */
export function isFactOf({ on }: Fact, action: string | null): boolean {
  return on === null || on.some((one) => one === (action ?? "call_tool"));
}

/** Attributes by name. A Map, because names come from a bundle. */
export type FactTable = ReadonlyMap<string, Fact>;

const always = (type: FactType, of: Fact["of"]): Fact => ({ type, sourced: true, optional: false, on: null, of });
const text = (of: Fact["of"]): Fact => always(STRING, of);
const truth = (of: Fact["of"]): Fact => always(BOOL, of);
const whole = (of: Fact["of"]): Fact => always(LONG, of);
const maybe = (of: Fact["of"]): Fact => ({ ...text(of), optional: true });

/** Attributes of the principal entity. */
export const PRINCIPAL_FACTS: FactTable = new Map<string, Fact>([
  ["session_id", text((facts) => facts.sessionId)],
  ["workflow_id", text((facts) => facts.workflowId)],
  ["identity_source", text((facts) => facts.principal.identitySource)],
  ["identity_issuer", maybe((facts) => facts.principal.identityIssuer)],
  ["user_identity", maybe((facts) => facts.principal.userIdentity)],
  ["identity_claims", always(STRINGS, (facts) => facts.principal.identityClaims ?? [])],
  ["host_asserted_identity", maybe((facts) => facts.principal.hostAssertedIdentity)],
]);

/** What the catalog says of anything approved. */
const APPROVED: readonly (readonly [string, Fact])[] = [
  ["server_name", text((facts) => subjectOf(facts).server.name)],
  ["server_identity", text((facts) => subjectOf(facts).server.identity)],
  ["compliance_domain", text((facts) => subjectOf(facts).complianceDomain)],
  ["baa_covered", truth((facts) => subjectOf(facts).baaCovered)],
  ["requires_baa", truth((facts) => subjectOf(facts).requiresBaa)],
  ["destination_class", text((facts) => subjectOf(facts).destinationClass)],
  ["sensitivity_level", text((facts) => subjectOf(facts).sensitivityLevel)],
];

/** Attributes of a tool's entity, as the catalog has it. */
export const TOOL_FACTS: FactTable = new Map<string, Fact>([
  ["tool_name", text((facts) => ("tool" in facts ? facts.tool.toolName : undefined))],
  ["tool_category", { ...text((facts) => ("tool" in facts ? facts.tool.toolCategory : undefined)), sourced: false }],
  ...APPROVED,
]);

/** Attributes of a resource's or template's entity. */
export const RESOURCE_FACTS: FactTable = new Map<string, Fact>([
  ["uri", text((facts) => ("resource" in facts ? facts.resource.uri : undefined))],
  ["uri_template", maybe((facts) => ("resource" in facts ? facts.resource.resource.template?.text : undefined))],
  ["mime_type", maybe((facts) => ("resource" in facts ? (facts.resource.resource.mimeType ?? undefined) : undefined))],
  ...APPROVED,
]);

/** Attributes of a prompt's entity. */
export const PROMPT_FACTS: FactTable = new Map<string, Fact>([
  ["prompt_name", text((facts) => ("prompt" in facts ? facts.prompt.promptName : undefined))],
  ...APPROVED,
]);

/** Attributes of the context, `arguments` apart. `sensitivity_level` is the rank older bundles read there. */
export const CONTEXT_FACTS: FactTable = new Map<string, Fact>([
  ["session_id", text((facts) => facts.sessionId)],
  ["session_sensitivity", text((facts) => facts.sessionSensitivity)],
  ["session_max_sensitivity", text((facts) => facts.sessionMaxSensitivity)],
  ["sensitivity_level_int", whole((facts) => facts.sensitivityLevelInt)],
  ["sensitivity_level", whole((facts) => facts.sensitivityLevelInt)],
  ["workflow_id", text((facts) => facts.workflowId)],
  ["workflow_allowed_tools", always(STRINGS, (facts) => facts.workflowAllowedTools)],
  ["enforcement_mode", text((facts) => facts.enforcementMode)],
  ["catalog_hash", text((facts) => facts.catalogHash)],
  ["attestation_platform", text((facts) => facts.attestationPlatform)],
  ["channel", text((facts) => facts.channel)],
  ["isolation", text((facts) => facts.isolation)],
  ["session_isolation", text((facts) => facts.sessionIsolation)],
  ["history", always({ kind: "Record", members: new Map(), others: LONG }, (facts) => facts.history)],
  ["history_complete", truth((facts) => facts.historyComplete)],
  ["server_identity", text((facts) => subjectOf(facts).server.identity)],
  ["compliance_domain", text((facts) => subjectOf(facts).complianceDomain)],
  ["baa_covered", truth((facts) => subjectOf(facts).baaCovered)],
  ["requires_baa", truth((facts) => subjectOf(facts).requiresBaa)],
  ["destination_class", text((facts) => subjectOf(facts).destinationClass)],
  [
    "argument_name",
    { ...text((facts) => ("completion" in facts ? facts.completion?.argumentName : undefined)), on: ["complete"] },
  ],
  ["request_method", { ...text((facts) => facts.requestMethod), on: ["ask_client"] }],
]);

/** Context attributes that a session's past decides; a forbid that reads one denies because of that past. */
export const SENSITIVITY_ATTRIBUTES: ReadonlySet<string> = new Set([
  "session_sensitivity",
  "session_max_sensitivity",
  "sensitivity_level_int",
  "sensitivity_level",
]);
