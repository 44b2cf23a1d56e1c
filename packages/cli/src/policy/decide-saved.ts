import { canonicalText, CmcpError, type JsonObject } from "@cmcp/boundary";
import type { Catalog, CatalogTool } from "@cmcp/catalog";
import { findContent, loadDetectors, stringLeaves, type Findings } from "@cmcp/findings";
import { argumentTargets, inspectArguments, prepareSchemas } from "@cmcp/inspection";
import { readsFindings, type CallFacts, type CompiledPolicy, type Verdict } from "@cmcp/policy";
import { compartmentsOfCall, Vocabulary } from "@cmcp/session";
import type { SavedCall } from "./saved-call.ts";
import { sessionLabels, type SessionLabels } from "./session-labels.ts";

/** How a saved call is decided, by policy or before it. */
export type Outcome =
  | Pick<Verdict, "decision" | "rule" | "cause" | "reason" | "redactFields" | "keepFields" | "approval">
  | {
      decision: "deny";
      rule: string;
      cause: "not-policy";
      reason: string;
      redactFields: readonly string[];
      keepFields: readonly string[];
      approval?: never;
    };

function beforePolicy(rule: string, reason: string): Outcome {
  return { decision: "deny", rule, cause: "not-policy", reason, redactFields: [], keepFields: [] };
}

/** What the gateway refuses before it asks policy, in its order. */
function refusedBefore(tool: CatalogTool, { arguments: args }: SavedCall): Outcome | null {
  prepareSchemas(tool);
  const inspected = inspectArguments(tool, args);
  return inspected.ok ? null : beforePolicy("input-schema", inspected.why);
}

function principalOf(call: SavedCall): CallFacts["principal"] {
  return {
    id: call.principal,
    identitySource: call.identity_source,
    identityClaims: call.identity_claims,
    ...(call.identity_issuer === undefined ? {} : { identityIssuer: call.identity_issuer }),
    ...(call.user_identity === undefined ? {} : { userIdentity: call.user_identity }),
    ...(call.host_asserted_identity === undefined ? {} : { hostAssertedIdentity: call.host_asserted_identity }),
  };
}

function flowsOf({ flows, flows_complete: complete }: SavedCall): CallFacts["flows"] {
  return {
    flows: flows.map(({ source_server: sourceServer, source_tool: sourceTool, ...flow }) => ({
      sourceServer,
      sourceTool,
      ...flow,
    })),
    complete,
  };
}

function factsOf(
  call: SavedCall,
  tool: CatalogTool,
  { tools, hash: catalogHash }: Pick<Catalog, "tools" | "hash">,
  seen: SessionLabels & { readonly rank: number; readonly data: readonly string[]; readonly find: Find },
): CallFacts {
  const { find, ...sensitivity } = seen;
  return {
    principal: principalOf(call),
    sessionId: "00000000-0000-4000-8000-000000000000",
    workflowId: call.workflow,
    workflowAllowedTools: call.workflow_allowed_tools ?? [...tools.values()].map(({ toolName }) => toolName),
    sessionSensitivity: sensitivity.current,
    sessionMaxSensitivity: sensitivity.max,
    sensitivityLevelInt: sensitivity.rank,
    sessionCompartments: sensitivity.compartments,
    sessionIntegrity: call.integrity,
    flows: flowsOf(call),
    dataCompartments: sensitivity.data,
    enforcementMode: call.enforcement_mode,
    catalogHash,
    attestationPlatform: "software-only",
    channel: "plain",
    isolation: "network-namespace",
    sessionIsolation: "gateway",
    history: call.history,
    historyComplete: call.history_complete,
    tool,
    arguments: call.arguments,
    targets: () => argumentTargets(tool, call.arguments),
    argumentFindings: () => find(call.arguments),
  };
}

function neverAsked(): never {
  throw new CmcpError("INTERNAL", "findings are asked for by a policy that reads none");
}

/** What finds content in arguments and results, as the gateway does. */
export type Find = (message: JsonObject) => Findings;

/** Loads the detectors of this build where a policy reads what they find. @throws CmcpError `DETECTOR_DATA_REFUSED` */
export async function finderFor(policy: Pick<CompiledPolicy, "reads">): Promise<Find> {
  if (!readsFindings(policy)) return neverAsked;
  const detectors = await loadDetectors();
  return (message) => findContent(stringLeaves(message), detectors);
}

/** Decides a saved call as the gateway does. @throws CmcpError `USAGE` for labels that no session has */
export function decideSaved(
  policy: Pick<CompiledPolicy, "decide" | "bundle" | "decidesDelivery">,
  catalog: Pick<Catalog, "tools" | "hash">,
  call: SavedCall,
  find: Find,
): Outcome {
  const vocabulary = new Vocabulary(call);
  const labels = sessionLabels(call, vocabulary);
  const tool = catalog.tools.get(call.tool);
  if (tool === undefined) return beforePolicy("not-in-catalog", "the tool is not in the catalog");
  const sensitivity = {
    ...labels,
    rank: vocabulary.rank(labels.max),
    data: compartmentsOfCall(vocabulary, tool, null),
    find,
  };
  const none = Object.fromEntries(policy.bundle.history.map(({ name }) => [name, 0]));
  const counted = { ...call, history: { ...none, ...call.history } };
  const facts = factsOf(counted, tool, catalog, sensitivity);
  const outcome = refusedBefore(tool, call) ?? policy.decide(facts);
  const { result } = call;
  const isCalled = outcome.decision === "allow" || outcome.decision === "redact";
  if (result === undefined || !policy.decidesDelivery || !isCalled) return outcome;
  const delivery = { bytes: Buffer.byteLength(canonicalText(result)), findings: () => find(result) };
  return policy.decide({ ...facts, action: "deliver_result", delivery });
}
