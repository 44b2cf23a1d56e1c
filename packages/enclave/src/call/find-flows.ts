import type { JsonValue } from "@cmcp/boundary";
import { approvedOf, nameOf, type Target } from "@cmcp/catalog";
import type { Flow, Flows } from "@cmcp/flows";
import { FLOW_ATTRIBUTES, type CompiledPolicy, type FlowFacts } from "@cmcp/policy";
import type { Label } from "@cmcp/session";
import type { Call, DecisionInput } from "./call.ts";
import type { Detail } from "./ending.ts";

/** Longest path of a fact, in UTF-16 units; of a longer one the start stands there. */
const MAX_PATH = 128;
/** Longest `flow_from` of an entry, in UTF-16 units. */
const MAX_FROM = 512;

function readsFlows(policy: CompiledPolicy): boolean {
  return FLOW_ATTRIBUTES.some((name) => policy.reads("context", name));
}

/** What a request sends that its agent chose, as one value. */
function sentValue({ policyRequest, answer }: DecisionInput): JsonValue {
  const { method, name, arguments: args, completion, input } = policyRequest;
  return {
    arguments: args,
    ...(method.startsWith("resources/") ? { uri: name } : {}),
    ...(completion === null
      ? {}
      : { completion: { argument: { ...completion.argument }, known: { ...completion.known } } }),
    ...(input?.responses == null ? {} : { answers: input.responses }),
    ...(answer === undefined ? {} : { answer }),
  };
}

/**
 * Finds what the session was handed before in what a request sends. `null` when no rule in force reads a flow.
 * Data of any compartment that the principal saw in another session makes the answer incomplete.
 */
export function findFlows(call: DecisionInput): Flows | null {
  if (!readsFlows(call.policy)) return null;
  const { session, flows } = call.recorded;
  session.flowsCompared = true;
  const found = flows.match(sentValue(call));
  return { ...found, complete: found.complete && session.hasSeenAllLabelled };
}

/** The facts that rules read. */
export function flowFacts({ flows, complete }: Flows): FlowFacts {
  return {
    flows: flows.map(({ source, kind, path, coverage }) => ({
      sourceServer: source.server,
      sourceTool: source.tool,
      labels: source.labels,
      kind,
      path: path.slice(0, MAX_PATH).toWellFormed(),
      coverage,
    })),
    complete,
  };
}

/** What the entry says of flows: their number, and where the first came from. */
export function flowDetail(found: Flows | null): Detail {
  if (found === null || found.flows.length === 0) return {};
  const from = found.flows.map(textOf).join(",");
  return { flow_edges: found.flows.length, flow_from: from.slice(0, MAX_FROM).toWellFormed() };
}

function textOf({ source, kind, coverage }: Flow): string {
  return `${source.server}/${source.tool}:${kind}:${coverage}`;
}

/** Keeps what a call hands to the agent, before it is handed over. */
export function keepDelivered(call: Call, target: Target, { compartments }: Label, delivered: JsonValue): void {
  const { flows } = call.recorded;
  if (!readsFlows(call.policy)) return flows.skip();
  const source = { server: approvedOf(target).server.name, tool: nameOf(target), labels: compartments };
  flows.add(source, delivered, sentValue(call));
}
