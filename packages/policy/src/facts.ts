import type { JsonObject } from "@cmcp/boundary";
import type { FlowFacts } from "./flow.ts";
import type { Approved, RequestedResource, CatalogPrompt, CatalogTool } from "@cmcp/catalog";
import type { Findings } from "@cmcp/findings";

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
  /** Every compartment that {@link sessionMaxSensitivity} stands for. */
  readonly sessionCompartments: readonly string[];
  /** `untrusted` once the session has seen text of a server without trust. */
  readonly sessionIntegrity: "trusted" | "untrusted";
  /** Earlier results that stand in what the request sends. */
  readonly flows: FlowFacts;
  /** Compartments of the data that the request can bring back. */
  readonly dataCompartments: readonly string[];
  readonly enforcementMode: string;
  readonly catalogHash: string;
  readonly attestationPlatform: string;
  readonly channel: "plain" | "sealed";
  readonly isolation: string;
  readonly sessionIsolation: string;
  /** Looks at the arguments, or at an answer. It is asked only for rules that read it; requests without arguments have none. */
  readonly argumentFindings?: () => Findings;
  /** With `deliver_result`: what is to be delivered. */
  readonly delivery?: DeliveryFacts;
  /** With `server_egress`: where the server would connect to. */
  readonly egress?: EgressFacts;
  /** What the bundle declares of the principal's past, by name. */
  readonly history: Readonly<Record<string, number>>;
  /** False if some of it may be too low. */
  readonly historyComplete: boolean;
}

/** Paths and URLs of a call's arguments in the forms that rules compare. What could not be read is the empty text in each set. */
export interface ArgumentTargets {
  readonly urls: readonly {
    readonly argument: string;
    readonly raw: string;
    readonly url: string;
    readonly scheme: string;
    readonly host: string;
    readonly port: number;
    readonly path: string;
  }[];
  readonly hosts: readonly string[];
  readonly schemes: readonly string[];
  readonly paths: readonly string[];
  readonly commonPath: string;
  readonly pathEscapes: boolean;
  readonly complete: boolean;
}

/** A host that a stdio server may reach by its catalog entry. */
export interface EgressFacts {
  readonly host: string;
  readonly port: number;
}

/** A result or message of a server, before the agent gets it. */
export interface DeliveryFacts {
  /** Bytes of its canonical JSON. */
  readonly bytes: number;
  /** Looks at it. It is asked only for rules that read it. */
  readonly findings: () => Findings;
}

/** A tool, and what is done with it: `tools/call`, or a request its server puts to the client while the call runs. */
export interface CallFacts extends RequestFacts {
  /** `call_tool` when absent. */
  readonly action?: "call_tool" | "ask_client" | "deliver_result" | "server_egress";
  readonly tool: CatalogTool;
  /** The caller's arguments, already parsed by a strict reader. */
  readonly arguments: JsonObject;
  /** Reads the arguments' paths and URLs. It is asked only for rules that read them, and must answer with `call_tool`. */
  readonly targets?: () => ArgumentTargets;
  /** With `ask_client`: the method of the server's request. */
  readonly requestMethod?: string;
}

/** A resource or template, and what is done with it. */
export interface ResourceFacts extends RequestFacts {
  readonly action:
    | "list_resource"
    | "read_resource"
    | "subscribe_resource"
    | "complete"
    | "ask_client"
    | "deliver_result"
    | "server_egress";
  /** With `list_resource` and `complete`, a template itself is what is asked about: its text is the `uri`, and it has no variables. */
  readonly resource: RequestedResource;
  /** With `complete`: the argument that is being completed, and the others as far as they are known. */
  readonly completion?: Completion;
  readonly requestMethod?: string;
}

/** A prompt, and what is done with it. */
export interface PromptFacts extends RequestFacts {
  readonly action: "get_prompt" | "complete" | "ask_client" | "deliver_result" | "server_egress";
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
export function resourceOf(facts: GovernedFacts): Approved {
  if ("tool" in facts) return facts.tool;
  return "prompt" in facts ? facts.prompt : facts.resource.resource;
}

/** The arguments that policies may look at. */
export function argumentsOf(facts: GovernedFacts): JsonObject {
  if ("completion" in facts && facts.completion !== undefined) return facts.completion.known;
  return "resource" in facts ? Object.fromEntries(facts.resource.variables) : facts.arguments;
}
