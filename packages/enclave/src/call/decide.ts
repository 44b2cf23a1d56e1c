import { type ErrorCode, type JsonObject } from "@cmcp/boundary";
import { isCallable } from "@cmcp/catalog";
import { inspectArguments } from "@cmcp/inspection";
import type { AgentRequest } from "@cmcp/mcp";
import type { CompiledPolicy, GovernedFacts, RequestFacts, Verdict } from "@cmcp/policy";
import { principalFacts, type Caller } from "../access/caller.ts";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Decision, Permitted, Refused } from "./decision.ts";
import { checkPromptArguments } from "./prompt-arguments.ts";
import { approvedOf, type Target } from "@cmcp/catalog";
import { findSubject, notInCatalog } from "./subject.ts";

const DEFAULT_WORKFLOW = "default";

/** A decision that does not yet say under which policy it was made. */
type Judgement = Omit<Permitted, "policyHash"> | JudgedRefusal;
type JudgedRefusal = Omit<Refused, "policyHash">;

/** The workflow a request runs under: what the caller named, or `default`. */
export function workflowOf(request: Pick<AgentRequest, "workflowId">): string {
  return request.workflowId ?? DEFAULT_WORKFLOW;
}

function refuse(
  subject: Target | null,
  rule: string,
  code: ErrorCode,
  message: string,
  outcome: Refused["outcome"] = "deny",
): JudgedRefusal {
  return { outcome, subject, rule, code, message };
}

/** The tools of a workflow: those the configuration gives it, or every one where it tells workflows not apart. */
function toolsOf({ config, catalog }: Core, workflowId: string): readonly string[] {
  const { workflow_tools: tools } = config.enclave;
  if (tools === undefined) return [...catalog.tools.keys()];
  return Object.hasOwn(tools, workflowId) ? (tools[workflowId] ?? []) : [];
}

function factsOf(core: Core, { session }: RecordedSession, caller: Caller, workflowId: string): RequestFacts {
  return {
    principal: principalFacts(caller),
    sessionId: session.id,
    workflowId,
    workflowAllowedTools: toolsOf(core, workflowId),
    sessionSensitivity: session.sensitivity,
    sessionMaxSensitivity: session.maxSensitivity,
    sensitivityLevelInt: core.vocabulary.rank(session.maxSensitivity),
    enforcementMode: core.config.attestation.enforcement_mode,
    catalogHash: core.catalog.hash,
    attestationPlatform: core.platform,
    channel: "plain",
    isolation: core.isolation,
    sessionIsolation: "gateway",
  };
}

/** The argument of a completion that policies may look at, and those already given. */
function completionOf({ params }: AgentRequest): { readonly argumentName: string; readonly known: JsonObject } {
  const { argument, context } = params as { argument: { name: string }; context?: { arguments?: JsonObject } };
  return { argumentName: argument.name, known: context?.arguments ?? {} };
}

function factsFor(facts: RequestFacts, subject: Target, request: AgentRequest): GovernedFacts {
  const completes = request.method === "completion/complete";
  switch (subject.kind) {
    case "tool":
      return { ...facts, tool: subject.tool, arguments: request.arguments };
    case "prompt":
      return completes
        ? { ...facts, action: "complete", prompt: subject.prompt, arguments: {}, completion: completionOf(request) }
        : { ...facts, action: "get_prompt", prompt: subject.prompt, arguments: request.arguments };
    case "resource":
      if (completes)
        return { ...facts, action: "complete", resource: subject.resource, completion: completionOf(request) };
      return {
        ...facts,
        action: request.method === "resources/read" ? "read_resource" : "subscribe_resource",
        resource: subject.resource,
      };
  }
}

function fromVerdict(subject: Target, verdict: Verdict): Judgement {
  switch (verdict.decision) {
    case "allow":
    case "redact":
      return {
        outcome: verdict.decision,
        subject,
        rule: verdict.rule,
        redactFields: verdict.redactFields,
        keepFields: verdict.keepFields,
        advisory: null,
      };
    case "step_up":
    case "defer":
      return refuse(
        subject,
        verdict.rule,
        "POLICY_DENY",
        "this call needs an approval that cannot be given here",
        verdict.decision,
      );
    case "deny":
      return verdict.cause === "sensitivity"
        ? refuse(
            subject,
            verdict.rule,
            "SESSION_SENSITIVITY_POLICY_DENY",
            "policy does not allow this call after the data this session has seen",
          )
        : refuse(subject, verdict.rule, "POLICY_DENY", "policy does not allow this call");
  }
}

/**
 * A refusal by policy, let through where the mode says so. A gateway whose engine fails has not evaluated
 * any policy, and lets nothing through.
 */
function underMode(core: Core, policy: CompiledPolicy, subject: Target, facts: GovernedFacts): Judgement {
  const verdict = policy.decide(facts);
  const judged = fromVerdict(subject, verdict);
  if (core.config.attestation.enforcement_mode === "enforcing" || !("code" in judged) || verdict.cause === "fault")
    return judged;
  try {
    return {
      outcome: "advisory_deny",
      subject,
      rule: judged.rule,
      ...policy.redactionOf(facts),
      advisory: { decision: judged.outcome, code: judged.code },
    };
  } catch {
    // What must be removed from the result is not known, so there must be no result.
    return judged;
  }
}

/** Why the arguments do not fit what was approved, `null` when they do. */
function misfit(subject: Target, request: AgentRequest): string | null {
  if (subject.kind === "tool") {
    const inspected = inspectArguments(subject.tool, request.arguments);
    return inspected.ok ? null : `the arguments do not fit the approved input schema: ${inspected.why}`;
  }
  return request.method === "prompts/get" && subject.kind === "prompt"
    ? checkPromptArguments(subject.prompt, request.arguments)
    : null;
}

/** Decides one request: catalog, workflow, approved arguments, then Cedar. Pure but for reading the session. */
export function decide(core: Core, recorded: RecordedSession, caller: Caller, request: AgentRequest): Decision {
  const { policy } = core;
  return { ...judge(core, policy, recorded, caller, request), policyHash: policy.bundle.hash };
}

/** Giving up a task needs nobody's leave: what policy refuses by now must not keep it running. Nothing of it comes back. */
export function givingUp(core: Core, request: AgentRequest): Decision {
  const policyHash = core.policy.bundle.hash;
  const subject = findSubject(core.catalog, request);
  if (subject === undefined)
    return { ...refuse(null, "not-in-catalog", "TASK_UNKNOWN", "there is no such task"), policyHash };
  return { outcome: "allow", subject, rule: "giving-up", redactFields: [], keepFields: [], advisory: null, policyHash };
}

function judge(
  core: Core,
  policy: CompiledPolicy,
  recorded: RecordedSession,
  caller: Caller,
  request: AgentRequest,
): Judgement {
  const subject = findSubject(core.catalog, request);
  if (subject === undefined) {
    const { code, message } = notInCatalog(request);
    return refuse(null, "not-in-catalog", code, message);
  }
  if (!isCallable(approvedOf(subject)))
    return refuse(
      subject,
      "server-not-callable",
      "NOT_SUPPORTED",
      "the server cannot be called as it stands in the catalog",
    );
  const workflowId = workflowOf(request);
  if (!core.principals.mayUse(caller, workflowId)) {
    return refuse(subject, "workflow-not-allowed", "WORKFLOW_NOT_ALLOWED", "this principal may not use that workflow");
  }
  if (request.dataClass !== null && !core.vocabulary.has(request.dataClass)) {
    return refuse(
      subject,
      "unknown-data-class",
      "MCP_INVALID_REQUEST",
      "the declared data class is not a known sensitivity label",
    );
  }
  const why = misfit(subject, request);
  if (why !== null) return refuse(subject, "input-schema", "MCP_INVALID_REQUEST", why);
  return underMode(core, policy, subject, factsFor(factsOf(core, recorded, caller, workflowId), subject, request));
}

/** What policy makes of a question; where it refuses it, `passes` is the mode's word. */
export interface JudgedQuestion {
  readonly passes: boolean;
  readonly refusal: Pick<Refused, "rule" | "code"> | null;
}

/** Whether a server may put this to the agent while it works on a request: a decision of its own, under the mode as the request itself. */
export function judgeQuestion(
  core: Core,
  recorded: RecordedSession,
  caller: Caller,
  subject: Target,
  request: AgentRequest,
  method: string,
): JudgedQuestion {
  const facts = {
    ...factsFor(factsOf(core, recorded, caller, workflowOf(request)), subject, request),
    action: "ask_client",
    requestMethod: method,
  } as const;
  const verdict = core.policy.decide(facts);
  const judged = fromVerdict(subject, verdict);
  if (!("code" in judged)) return { passes: true, refusal: null };
  return {
    passes: core.config.attestation.enforcement_mode !== "enforcing" && verdict.cause !== "fault",
    refusal: judged,
  };
}

/**
 * Whether something is shown to a caller. Arguments are unknown here, so a verdict that only they could
 * settle shows it (an error, an invalid request, or a refusal that some of them would change); the request itself is
 * still decided in full. Where policy refuses nothing, everything that can be called is shown.
 * @param mayLook whether the engine may be asked what arguments could change, which takes milliseconds
 */
export function isListed(
  core: Core,
  recorded: RecordedSession,
  caller: Caller,
  subject: Target,
  workflowId: string,
  mayLook: () => boolean,
): boolean {
  if (!isCallable(approvedOf(subject))) return false;
  if (core.config.attestation.enforcement_mode !== "enforcing") return true;
  const facts = listingFacts(factsOf(core, recorded, caller, workflowId), subject);
  const verdict = core.policy.decide(facts);
  if (verdict.decision !== "deny" || verdict.cause === "error" || verdict.cause === "request-invalid") return true;
  return verdict.cause !== "fault" && core.policy.couldAllow(facts, mayLook);
}

function listingFacts(facts: RequestFacts, subject: Target): GovernedFacts {
  switch (subject.kind) {
    case "tool":
      return { ...facts, tool: subject.tool, arguments: {} };
    case "prompt":
      return { ...facts, action: "get_prompt", prompt: subject.prompt, arguments: {} };
    case "resource":
      return { ...facts, action: "list_resource", resource: subject.resource };
  }
}
