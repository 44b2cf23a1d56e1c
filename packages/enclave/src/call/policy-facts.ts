import type { Target } from "@cmcp/catalog";
import type { AgentRequest } from "@cmcp/mcp";
import type { GovernedFacts, RequestFacts } from "@cmcp/policy";
import { LOWEST_LABEL, type Vocabulary } from "@cmcp/session";
import { principalFacts } from "../access/caller.ts";
import { workflowOf, type DecisionInput } from "./call.ts";

/** What rules see of the gateway itself; every value is measured or observed by the enclave. */
export interface GatewayFacts {
  readonly vocabulary: Vocabulary;
  readonly enforcementMode: "enforcing" | "advisory" | "silent";
  readonly catalogHash: string;
  readonly platform: string;
  readonly isolation: string;
  /** Names of every tool of the catalog. */
  readonly tools: readonly string[];
  /** The tools that the configuration gives each workflow; `undefined` where it does not tell workflows apart. */
  readonly workflowTools: Readonly<Record<string, readonly string[]>> | undefined;
}

function toolsOf({ tools, workflowTools }: GatewayFacts, workflowId: string): readonly string[] {
  if (workflowTools === undefined) return tools;
  return Object.hasOwn(workflowTools, workflowId) ? (workflowTools[workflowId] ?? []) : [];
}

function requestFacts(gateway: GatewayFacts, { caller, recorded, policyRequest }: DecisionInput): RequestFacts {
  const { session } = recorded;
  const workflowId = workflowOf(policyRequest);
  return {
    principal: principalFacts(caller),
    sessionId: session.id,
    workflowId,
    workflowAllowedTools: toolsOf(gateway, workflowId),
    sessionSensitivity: session.sensitivity,
    sessionMaxSensitivity: session.maxSensitivity,
    sensitivityLevelInt: gateway.vocabulary.rank(session.maxSensitivity),
    enforcementMode: gateway.enforcementMode,
    catalogHash: gateway.catalogHash,
    attestationPlatform: gateway.platform,
    channel: "plain",
    isolation: gateway.isolation,
    sessionIsolation: "gateway",
  };
}

/** The argument of a completion that policies may look at, and those already known. */
function completionFacts({ completion }: AgentRequest): {
  readonly completion?: { argumentName: string; known: Record<string, string> };
} {
  return completion === null
    ? {}
    : { completion: { argumentName: completion.argument.name, known: { ...completion.known } } };
}

/** What rules see of a call. */
export function policyFacts(gateway: GatewayFacts, call: DecisionInput, target: Target): GovernedFacts {
  const facts = { ...requestFacts(gateway, call), ...completionFacts(call.policyRequest) };
  const { method, arguments: args } = call.policyRequest;
  const completes = call.policyRequest.completion !== null;
  switch (target.kind) {
    case "tool":
      return { ...facts, tool: target.tool, arguments: args };
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

/** What rules see of a question that a server puts to the agent while it works on a call. */
export function questionFacts(
  gateway: GatewayFacts,
  call: DecisionInput,
  target: Target,
  requestMethod: string,
): GovernedFacts {
  return { ...policyFacts(gateway, call, target), action: "ask_client", requestMethod };
}

/**
 * What rules see of something that is to be shown: nobody knows the arguments, and the label is the lowest. What a session has seen
 * refuses a call and does not take it off the list, as agents take a tool that vanishes for a fault of their own.
 */
export function listingFacts(gateway: GatewayFacts, call: DecisionInput, target: Target): GovernedFacts {
  const facts = {
    ...requestFacts(gateway, call),
    sessionSensitivity: LOWEST_LABEL,
    sessionMaxSensitivity: LOWEST_LABEL,
    sensitivityLevelInt: gateway.vocabulary.rank(LOWEST_LABEL),
  };
  switch (target.kind) {
    case "tool":
      return { ...facts, tool: target.tool, arguments: {} };
    case "prompt":
      return { ...facts, action: "get_prompt", prompt: target.prompt, arguments: {} };
    case "resource":
      return { ...facts, action: "list_resource", resource: target.resource };
  }
}
