import type { ErrorCode, JsonObject } from "@cmcp/boundary";
import { isCallable, type CatalogTool } from "@cmcp/catalog";
import { inspectArguments } from "@cmcp/inspection";
import type { CallFacts, CompiledPolicy, Verdict } from "@cmcp/policy";
import type { Core } from "../core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Decision, Permitted, Refused } from "./decision.ts";

/** What a caller asks for, after parsing; nothing in it has been checked against catalog or policy. */
export interface CallRequest {
  readonly name: string;
  readonly arguments: JsonObject;
  readonly workflowId: string | null;
  readonly dataClass: string | null;
}

const DEFAULT_WORKFLOW = "default";

/** A decision that does not yet say under which policy it was made. */
type Judgement = Omit<Permitted, "policyHash"> | JudgedRefusal;
type JudgedRefusal = Omit<Refused, "policyHash">;

/** The workflow a call runs under: what the caller named, or `default`. */
export function workflowOf(call: Pick<CallRequest, "workflowId">): string {
  return call.workflowId ?? DEFAULT_WORKFLOW;
}

function refuse(tool: CatalogTool | null, rule: string, code: ErrorCode, message: string, outcome: Refused["outcome"] = "deny"): JudgedRefusal {
  return { outcome, tool, rule, code, message };
}

function factsFor(core: Core, recorded: RecordedSession, tool: CatalogTool, workflowId: string, args: JsonObject): CallFacts {
  const { session } = recorded;
  return {
    principal: { id: session.principalId },
    sessionId: session.id,
    workflowId,
    workflowAllowedTools: [...core.catalog.tools.keys()],
    sessionSensitivity: session.sensitivity,
    sessionMaxSensitivity: session.maxSensitivity,
    sensitivityLevelInt: core.vocabulary.rank(session.maxSensitivity),
    enforcementMode: core.config.attestation.enforcement_mode,
    catalogHash: core.catalog.hash,
    attestationPlatform: core.platform,
    channel: "plain",
    isolation: core.isolation,
    sessionIsolation: "gateway",
    tool,
    arguments: args,
  };
}

function fromVerdict(tool: CatalogTool, verdict: Verdict): Judgement {
  switch (verdict.decision) {
    case "allow":
    case "redact":
      return { outcome: verdict.decision, tool, rule: verdict.rule, redactFields: verdict.redactFields, advisory: null };
    case "step_up":
    case "defer":
      return refuse(tool, verdict.rule, "POLICY_DENY", "this call needs an approval that cannot be given here", verdict.decision);
    case "deny":
      return verdict.cause === "sensitivity"
        ? refuse(tool, verdict.rule, "SESSION_SENSITIVITY_POLICY_DENY", "policy does not allow this call after the data this session has seen")
        : refuse(tool, verdict.rule, "POLICY_DENY", "policy does not allow this call");
  }
}

/**
 * A refusal by policy, let through where the mode says so. A gateway whose engine fails has not evaluated
 * any policy, and lets nothing through.
 */
function underMode(core: Core, policy: CompiledPolicy, facts: CallFacts, verdict: Verdict): Judgement {
  const judged = fromVerdict(facts.tool, verdict);
  if (core.config.attestation.enforcement_mode === "enforcing" || !("code" in judged) || verdict.cause === "fault") return judged;
  try {
    return { outcome: "advisory_deny", tool: facts.tool, rule: judged.rule, redactFields: policy.redactionOf(facts), advisory: { decision: judged.outcome, code: judged.code } };
  } catch {
    // What must be removed from the result is not known, so there must be no result.
    return judged;
  }
}

/** Decides one call: catalog, workflow, approved input schema, then Cedar. Pure but for reading the session. */
export function decide(core: Core, recorded: RecordedSession, call: CallRequest): Decision {
  const { policy } = core;
  return { ...judge(core, policy, recorded, call), policyHash: policy.bundle.hash };
}

function judge(core: Core, policy: CompiledPolicy, recorded: RecordedSession, call: CallRequest): Judgement {
  const tool = core.catalog.tools.get(call.name);
  if (tool === undefined) return refuse(null, "not-in-catalog", "TOOL_NOT_IN_CATALOG", "the tool is not in the catalog");
  if (!isCallable(tool)) return refuse(tool, "server-not-callable", "NOT_SUPPORTED", "the tool's server cannot be called as it stands in the catalog");
  const workflowId = workflowOf(call);
  if (!core.principals.mayUse(recorded.session.principalId, workflowId)) {
    return refuse(tool, "workflow-not-allowed", "WORKFLOW_NOT_ALLOWED", "this principal may not use that workflow");
  }
  if (call.dataClass !== null && !core.vocabulary.has(call.dataClass)) {
    return refuse(tool, "unknown-data-class", "MCP_INVALID_REQUEST", "the declared data class is not a known sensitivity label");
  }
  const inspected = inspectArguments(tool, call.arguments);
  if (!inspected.ok) return refuse(tool, "input-schema", "MCP_INVALID_REQUEST", `the arguments do not fit the approved input schema: ${inspected.why}`);
  const facts = factsFor(core, recorded, tool, workflowId, call.arguments);
  return underMode(core, policy, facts, policy.decide(facts));
}

/**
 * Whether a tool is shown to a caller. Arguments are unknown here, so a verdict that only they could
 * settle (an error or an invalid request) shows the tool; the call itself is still decided in full. Where
 * policy refuses nothing, every tool that can be called is shown.
 */
export function isListed(core: Core, recorded: RecordedSession, tool: CatalogTool, workflowId: string): boolean {
  if (!isCallable(tool)) return false;
  if (core.config.attestation.enforcement_mode !== "enforcing") return true;
  const verdict = core.policy.decide(factsFor(core, recorded, tool, workflowId, {}));
  return verdict.decision !== "deny" || verdict.cause === "error" || verdict.cause === "request-invalid";
}
