import { canonicalText, type JsonObject } from "@cmcp/boundary";
import { approvedOf, nameOf, type Catalog, type CatalogTool, type Target } from "@cmcp/catalog";
import { argumentTargets, type ArgumentTargets } from "@cmcp/inspection";
import type { History, HistoryCall, HistoryFacts } from "@cmcp/limits";
import type { AgentRequest } from "@cmcp/mcp";
import {
  NO_FLOWS,
  UNKNOWN_FLOWS,
  type DeliveryFacts,
  type EgressFacts,
  type GovernedFacts,
  type RequestFacts,
} from "@cmcp/policy";
import { compartmentsOfCall, LOWEST, LOWEST_LABEL, type Vocabulary } from "@cmcp/session";
import { principalFacts } from "../access/caller.ts";
import type { ContentFindings } from "./content-findings.ts";
import { workflowOf, type DecisionInput, type LimitedInput } from "./call.ts";
import { invokedToolOf } from "./invoked-tool.ts";

/** What policy rules can read about the gateway. Every value is measured, or observed by the enclave. */
export interface GatewayFacts {
  readonly vocabulary: Vocabulary;
  readonly enforcementMode: "enforcing" | "advisory" | "silent";
  readonly platform: string;
  readonly isolation: string;
  /** The tools of each workflow; `undefined` if the configuration does not list tools by workflow. */
  readonly workflowTools: Readonly<Record<string, readonly string[]>> | undefined;
  readonly history: Pick<History, "facts" | "count">;
  readonly content: ContentFindings;
}

/** Names of the tools of each catalog. */
const toolNames = new WeakMap<Catalog["tools"], readonly string[]>();

function namesOf({ tools }: Catalog): readonly string[] {
  const known = toolNames.get(tools) ?? [...tools.keys()];
  toolNames.set(tools, known);
  return known;
}

function toolsOf({ workflowTools }: GatewayFacts, catalog: Catalog, workflowId: string): readonly string[] {
  if (workflowTools === undefined) return namesOf(catalog);
  return Object.hasOwn(workflowTools, workflowId) ? (workflowTools[workflowId] ?? []) : [];
}

/** The tools of each list of the configuration, to look up. */
const toolSets = new WeakMap<readonly string[], ReadonlySet<string>>();

/** Whether the configuration gives a workflow a tool. */
export function isToolOf(
  { workflowTools }: Pick<GatewayFacts, "workflowTools">,
  workflow: string,
  tool: string,
): boolean {
  if (workflowTools === undefined) return true;
  const listed = Object.hasOwn(workflowTools, workflow) ? workflowTools[workflow] : undefined;
  if (listed === undefined) return false;
  const tools = toolSets.get(listed) ?? new Set(listed);
  toolSets.set(listed, tools);
  return tools.has(tool);
}

function requestFacts(
  gateway: GatewayFacts,
  { caller, recorded, policyRequest, catalog, flows = UNKNOWN_FLOWS }: DecisionInput,
  target: Target,
  history: HistoryFacts,
): RequestFacts {
  const { session } = recorded;
  const workflowId = workflowOf(policyRequest);
  return {
    principal: principalFacts(caller),
    sessionId: recorded.id,
    workflowId,
    workflowAllowedTools: toolsOf(gateway, catalog, workflowId),
    sessionSensitivity: session.sensitivity,
    sessionMaxSensitivity: session.maxSensitivity,
    sensitivityLevelInt: gateway.vocabulary.rank(session.maxSensitivity),
    sessionCompartments: session.maxCompartments,
    sessionIntegrity: session.integrity,
    flows,
    dataCompartments: compartmentsOfCall(gateway.vocabulary, invokedToolOf(target), null),
    enforcementMode: gateway.enforcementMode,
    catalogHash: catalog.hash,
    attestationPlatform: gateway.platform,
    channel: caller.channel,
    isolation: gateway.isolation,
    sessionIsolation: "gateway",
    history: history.values,
    historyComplete: history.complete,
  };
}

/** The argument that a completion is for, and the arguments already known. */
function completionFacts({ completion }: AgentRequest): {
  readonly completion?: { argumentName: string; known: Record<string, string> };
} {
  return completion === null
    ? {}
    : { completion: { argumentName: completion.argument.name, known: { ...completion.known } } };
}

/** Reads paths and URLs of the arguments once, when a rule first asks. */
function targetsOf(tool: CatalogTool, args: JsonObject): () => ArgumentTargets {
  let read: ArgumentTargets | undefined;
  return () => (read ??= argumentTargets(tool, args));
}

/** A call as its principal's history counts it. @param target `null` where the catalog has none */
export function historyCall(
  { recorded, policyRequest, requestBytes, isFollowUp }: LimitedInput,
  target: Target | null,
): HistoryCall {
  const args = policyRequest.arguments;
  return {
    principal: recorded.session.principalId,
    tool: target === null ? null : nameOf(target),
    server: target === null ? null : approvedOf(target).server.name,
    calls: isFollowUp ? 0 : 1,
    bytes: requestBytes,
    argument: (name) => {
      const value = Object.hasOwn(args, name) ? args[name] : undefined;
      return value === undefined ? null : canonicalText(value);
    },
  };
}

/** What policy rules can read about a call. */
export function policyFacts(gateway: GatewayFacts, call: LimitedInput, target: Target): GovernedFacts {
  const history = gateway.history.facts(call.policy.bundle.history, historyCall(call, target));
  const facts = {
    ...requestFacts(gateway, call, target, history),
    ...completionFacts(call.policyRequest),
    argumentFindings: () => gateway.content.ofArguments(call.policyRequest, target),
  };
  const { method, arguments: args } = call.policyRequest;
  const completes = call.policyRequest.completion !== null;
  switch (target.kind) {
    case "tool":
      return { ...facts, tool: target.tool, arguments: args, targets: targetsOf(target.tool, args) };
    case "prompt":
      return { ...facts, action: completes ? "complete" : "get_prompt", prompt: target.prompt, arguments: args };
    case "resource":
      if (completes) return { ...facts, action: "complete", resource: target.resource };
      return {
        ...facts,
        action: method === "resources/read" ? "read_resource" : "subscribe_resource",
        resource: target.resource,
      };
  }
}

/** A question that a server asks the agent during a call, and the agent's answer once there is one. */
export interface Question {
  readonly method: string;
  readonly answer: JsonObject | null;
}

/**
 * What policy rules can read about a question. The findings are those of the answer, and before there is one those of
 * the call's arguments.
 */
export function questionFacts(
  gateway: GatewayFacts,
  call: LimitedInput,
  target: Target,
  { method, answer }: Question,
): GovernedFacts {
  const facts = { ...policyFacts(gateway, call, target), action: "ask_client", requestMethod: method } as const;
  return answer === null ? facts : { ...facts, argumentFindings: () => gateway.content.of(answer) };
}

/** What policy rules can read about a connection of the server's during a call. The call is counted already. */
export function egressFacts(
  gateway: GatewayFacts,
  call: LimitedInput,
  target: Target,
  egress: EgressFacts,
): GovernedFacts {
  return { ...policyFacts(gateway, call, target), action: "server_egress", egress };
}

/** What policy rules can read about a result or message before the agent gets it. The call is counted already. */
export function deliveryFacts(
  gateway: GatewayFacts,
  call: LimitedInput,
  target: Target,
  delivery: DeliveryFacts,
): GovernedFacts {
  const counted = { ...call, requestBytes: 0, isFollowUp: true };
  return { ...policyFacts(gateway, counted, target), action: "deliver_result", delivery };
}

/**
 * What policy rules can read about a target of a list: no arguments, no history, and the lowest label. A session's label can refuse a
 * call but does not remove the tool from the list, because agents take a tool that disappears for a fault of their own.
 */
export function listingFacts(gateway: GatewayFacts, call: DecisionInput, target: Target): GovernedFacts {
  const noHistory = Object.fromEntries(call.policy.bundle.history.map(({ name }) => [name, 0]));
  const facts = {
    ...requestFacts(gateway, call, target, { values: noHistory, complete: true }),
    sessionSensitivity: LOWEST_LABEL,
    sessionMaxSensitivity: LOWEST_LABEL,
    sensitivityLevelInt: gateway.vocabulary.rank(LOWEST_LABEL),
    sessionCompartments: LOWEST.compartments,
    sessionIntegrity: LOWEST.integrity,
    flows: NO_FLOWS,
    argumentFindings: () => gateway.content.of({}),
  };
  switch (target.kind) {
    case "tool":
      return { ...facts, tool: target.tool, arguments: {}, targets: targetsOf(target.tool, {}) };
    case "prompt":
      return { ...facts, action: "get_prompt", prompt: target.prompt, arguments: {} };
    case "resource":
      return { ...facts, action: "list_resource", resource: target.resource };
  }
}
