import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { CmcpError, asCmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { RECEIPT_META_KEY, type AuditEntry } from "@cmcp/audit";
import { CLAIM_META_KEY, claimHash } from "@cmcp/claim";
import { inspectError, type Asked } from "@cmcp/inspection";
import {
  UpstreamRefusal,
  isTaskMethod,
  type AgentRequest,
  type Peer,
  type Reply,
  type UpstreamAnswer,
} from "@cmcp/mcp";
import { recordCall, sensitivityOfCall, sensitivityOfTool, type CallDecision } from "@cmcp/session";
import { callerDetail, type Caller } from "../access/caller.ts";
import type { Core } from "../boot/core.ts";
import { claimSoFar } from "../record/claims.ts";
import { reportAdvisory } from "../instance/report-advisory.ts";
import { ensureStarted, recordDecision, recordDrift, recordIntent } from "../record/recorder.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { decide, givingUp, workflowOf } from "./decide.ts";
import { isPermitted, type Decision, type Permitted, type Refused } from "./decision.ts";
import { approvedOf, nameOf, type Target } from "@cmcp/catalog";
import { invoked } from "./subject.ts";
import { GovernedPeer } from "./governed-peer.ts";
import { canonicalHash } from "./hash.ts";
import { givenInput, stateContext } from "./given-input.ts";
import { withInput } from "./input-rounds.ts";
import { outgoing, type Input } from "./outgoing.ts";
import { Questions } from "./questions.ts";
import { settle, type Settled } from "./settle.ts";
import { subscribe } from "./subscribe.ts";
import { answerTask, type TaskAnswer } from "./task-answer.ts";
import { withPlace, type Place } from "./task-place.ts";
import { askedAs, type Task } from "./tasks.ts";

/** Entries of one session; its claim and bundle stay within what verifiers read. */
const MAX_SESSION_ENTRIES = 40_000;

/** One call on its way through; made when it arrives, read by every later stage. */
interface Call {
  readonly id: string;
  readonly caller: Caller;
  readonly request: AgentRequest;
  /** What policy decides: the request, or where it is about a task the call that the task was made by. */
  readonly decided: AgentRequest;
  readonly task: Task | null;
  readonly requestHash: string;
  readonly startedAt: number;
}

/** What the audit entry says beyond the decision itself. */
interface Ending {
  readonly decision: CallDecision;
  /** Whether the request may have reached the server: then what it could return counts as seen. */
  readonly sent: boolean;
  readonly rule: string;
  readonly responseHash?: string;
  readonly inspection?: AuditEntry["response_inspection_result"];
  readonly detail: Record<string, string | number>;
}

/** A call's way through the gateway: decide, journal the intent, send, inspect, record, reply. */
export async function perform(
  core: Core,
  recorded: RecordedSession,
  caller: Caller,
  request: AgentRequest,
  peer: Peer,
): Promise<Reply> {
  if (recorded.chain.length >= MAX_SESSION_ENTRIES)
    throw new CmcpError(
      "SESSION_LIMIT_REACHED",
      "the session holds as many entries as a claim can; close it and open another",
    );
  core.journal.assertWritable();
  core.sessions.touch(recorded);
  await ensureStarted(core, recorded);
  const task = isTaskMethod(request.method) ? (core.tasks.find(recorded.session.id, request.name) ?? null) : null;
  const call: Call = {
    id: randomUUID(),
    caller,
    request,
    decided: task === null ? request : askedAs(task, request),
    task,
    requestHash: canonicalHash({
      name: request.name,
      arguments: request.arguments,
      ...(request.input?.responses == null ? {} : { input_responses: request.input.responses }),
      ...(request.meta === null ? {} : { meta: request.meta }),
    }),
    startedAt: performance.now(),
  };
  const decision =
    request.method === "tasks/cancel" && task !== null
      ? givingUp(core, call.decided)
      : decide(core, recorded, caller, call.decided);
  if (!isPermitted(decision)) return await refuse(core, recorded, call, decision);
  const questions = new Questions(core, recorded, {
    id: call.id,
    caller,
    subject: decision.subject,
    decided: call.decided,
  });
  const { input, refusal } = givenInput(core, recorded, request, task, questions);
  if (refusal !== null)
    return await refuse(core, recorded, call, {
      outcome: "deny",
      subject: decision.subject,
      ...refusal,
      policyHash: decision.policyHash,
    });
  return await withPlace(core, recorded, request, peer, (place) =>
    send(core, recorded, call, decision, input, peer, place, questions),
  );
}

async function refuse(core: Core, recorded: RecordedSession, call: Call, decision: Refused): Promise<Reply> {
  return await finish(
    core,
    recorded,
    call,
    decision,
    { decision: decision.outcome, sent: false, rule: decision.rule, detail: { error_code: decision.code } },
    refusal(decision, call.request),
  );
}

/** A refusal as the agent is told of it; one for a resource says which, as the protocol has it (MCP, Resources, "Error Handling"). */
function refusal(decision: Refused, { name }: AgentRequest): Extract<Reply, { ok: false }> {
  const told = fault(decision.code, decision.message);
  return decision.code === "RESOURCE_NOT_IN_CATALOG" ? { ...told, data: { ...told.data, uri: name } } : told;
}

async function send(
  core: Core,
  recorded: RecordedSession,
  call: Call,
  decision: Permitted,
  input: Input,
  peer: Peer,
  place: Place,
  questions: Questions,
): Promise<Reply> {
  const { subject } = decision;
  const { inspectionMode = "buffered" } = approvedOf(subject);
  const governed = new GovernedPeer(peer, {
    taskId: call.task?.id ?? null,
    mayBecomeTask: place !== null,
    maxBytes: core.config.max_response_size_bytes,
    withholdText: decision.redactFields.length > 0,
    mode: inspectionMode,
    questions,
    reached: () => recorded.session.raise(shown(core, call, subject)),
  });
  try {
    return await sendGoverned(core, recorded, call, decision, input, peer, governed, place);
  } finally {
    governed.release();
  }
}

/** The label of what a call can show. */
function shown(core: Core, { request }: Call, subject: Target): string {
  return sensitivityOfCall(core.vocabulary, invoked(subject), request.dataClass);
}

/** @param governed the agent, as the server sees it while it answers */
async function sendGoverned(
  core: Core,
  recorded: RecordedSession,
  call: Call,
  decision: Permitted,
  input: Input,
  peer: Peer,
  governed: GovernedPeer,
  place: Place,
): Promise<Reply> {
  const { subject } = decision;
  const { server } = approvedOf(subject);
  let answer: UpstreamAnswer;
  let told: TaskAnswer | null = null;
  let asked: ReturnType<GovernedPeer["permit"]> | null = null;
  try {
    if (call.request.method !== "tasks/cancel" && (await hasDrifted(core, recorded, subject)))
      return await refuse(core, recorded, call, drifted(decision));
    const misplaced = wrongForm(core, call.request, subject);
    if (misplaced !== null)
      return await refuse(core, recorded, call, {
        outcome: "deny",
        subject,
        rule: "task-support",
        code: "TASK_NOT_SUPPORTED",
        message: misplaced,
        policyHash: decision.policyHash,
      });
    if (place instanceof CmcpError) throw place;
    await recordIntent(core, recorded, {
      call_id: call.id,
      tool_name: nameOf(subject),
      server_identity: server.identity,
      workflow_id: workflowOf(call.decided),
      request_hash: call.requestHash,
      policy_hash: decision.policyHash,
      session_sensitivity: core.vocabulary.max(recorded.session.sensitivity, shown(core, call, subject)),
    });
    if (call.request.method === "resources/subscribe") {
      await subscribe(core, recorded, server, call.request.name, outgoing(call.request, null, subject, null), governed);
      return await finish(
        core,
        recorded,
        call,
        decision,
        { decision: decision.outcome, sent: true, rule: decision.rule, detail: { outcome: "subscribed" } },
        { ok: true, result: {} },
      );
    }
    if (peer.signal.aborted)
      throw new CmcpError("REQUEST_CANCELLED", "the caller went away before the call was sent", {
        detail: { sent: 0 },
      });
    answer = await withInput(
      (given) =>
        core.upstreams.request(server, recorded.session, outgoing(call.request, call.task, subject, given), governed),
      governed,
      input,
    );
    if (answer.kind === "input_required" && answer.inputRequests !== null)
      asked = governed.permit(answer.inputRequests);
    if (answer.kind !== "input_required")
      told = answerTask(
        core,
        recorded,
        { request: call.request, decision, task: call.task, place, peer: governed },
        answer,
      );
  } catch (thrown) {
    const error = peer.signal.aborted
      ? cancelled(thrown)
      : (governed.violation ?? asCmcpError(thrown, "TEE_FAULT", "the call failed inside the gateway"));
    const outcome = outcomeOf(error);
    return await finish(
      core,
      recorded,
      call,
      decision,
      {
        decision: "fault",
        sent: outcome !== "not-sent",
        rule: decision.rule,
        detail: { error_code: error.code, outcome, ...governed.counts },
      },
      faultReply(error, decision.redactFields.length > 0),
    );
  }
  if (answer.kind === "input_required") {
    const ending: Ending = {
      decision: decision.outcome,
      sent: true,
      rule: decision.rule,
      detail: { outcome: "input_required", ...governed.counts },
    };
    return await finish(core, recorded, call, decision, ending, {
      ok: "input",
      inputRequests: asked?.told ?? null,
      requestState: core.requestStates.seal(stateContext(recorded, call.request), {
        upstream: answer.requestState,
        asked: asked?.methods ?? [],
      }),
    });
  }
  const settled =
    told === null && answer.kind === "complete"
      ? settle(core, decision, askedOf(call.request), answer.result)
      : (told?.settled ?? null);
  const ending = endingOf(decision, settled, told?.outcome ?? "delivered", governed.counts);
  const withheld = settled?.refusal ?? null;
  if (withheld !== null)
    return await finish(core, recorded, call, decision, ending, fault(withheld.code, withheld.message));
  return await finish(
    core,
    recorded,
    call,
    decision,
    ending,
    told?.reply ??
      (settled?.result == null ? fault("TEE_FAULT", "the result was withheld") : { ok: true, result: settled.result }),
  );
}

/** What the entry says of an answer, and of what inspection made of it where it had a result. */
function endingOf(
  decision: Permitted,
  settled: Settled | null,
  outcome: string,
  counts: Record<string, string | number>,
): Ending {
  if (settled === null)
    return { decision: decision.outcome, sent: true, rule: decision.rule, detail: { outcome, ...counts } };
  const { refusal } = settled;
  return {
    decision: refusal === null ? decision.outcome : "deny",
    sent: true,
    rule: refusal?.rule ?? decision.rule,
    responseHash: settled.responseHash,
    inspection: settled.inspection,
    detail: {
      ...(refusal === null ? { outcome, removed: settled.removed } : { outcome: "withheld", error_code: refusal.code }),
      ...counts,
    },
  };
}

function askedOf({ method, name }: AgentRequest): Asked {
  return method === "prompts/get" || method === "completion/complete"
    ? { method }
    : { method: "resources/read", uri: name };
}

/** A fault as the agent is told of it; a server's own JSON-RPC error as inspection leaves it. */
function faultReply(error: CmcpError, withholdText: boolean): Reply {
  const told = fault(error.code, error.message);
  return error instanceof UpstreamRefusal
    ? {
        ...told,
        rpc: inspectError(
          { code: error.rpcCode, message: error.rpcMessage, data: error.rpcData },
          { withholdText, instead: "the tool server refused the call" },
        ),
      }
    : told;
}

/** What is known of a call that gave no result: it never left, the server refused it, or nobody knows. */
function outcomeOf(error: CmcpError): "not-sent" | "refused" | "unknown" {
  if (error.detail["sent"] === 0 || error.code === "AUDIT_STORE_UNAVAILABLE") return "not-sent";
  return error.code === "UPSTREAM_CALL_REFUSED" ? "refused" : "unknown";
}

/** The caller is gone, whatever the failure that this showed up as; whether the call had left is kept. */
function cancelled(thrown: unknown): CmcpError {
  const sent = thrown instanceof CmcpError ? thrown.detail["sent"] : undefined;
  return new CmcpError("REQUEST_CANCELLED", "the caller went away", {
    cause: thrown,
    ...(sent === undefined ? {} : { detail: { sent } }),
  });
}

/** Whether something is to be refused for drift. Where it only warns, the session's first contact with what drifted is on record. */
async function hasDrifted(core: Core, recorded: RecordedSession, subject: Target): Promise<boolean> {
  const drift = await core.drift.of(subject);
  if (drift === null) return false;
  await recordDrift(core, recorded, subject, drift);
  return core.config.catalog.drift_policy === "fail_closed";
}

/** Why a tool cannot be called in the form it is, as a task or as none, by its server's latest list; `null` when it can (MCP 2025-11-25, Tasks, "Tool-Level Negotiation"). */
function wrongForm(core: Core, { method, task }: AgentRequest, subject: Target): string | null {
  if (method !== "tools/call" || subject.kind !== "tool") return null;
  const support = core.drift.taskSupport(subject.tool);
  if (task !== null) return support === null ? "the tool's server does not offer it as a task; call it without" : null;
  return support === "required"
    ? "the tool's server runs it as a task only: call it with task, in a session of MCP 2025-11-25"
    : null;
}

function drifted(decision: Permitted): Refused {
  return {
    outcome: "deny",
    subject: decision.subject,
    rule: "catalog-drift",
    code: "CATALOG_DRIFT_DETECTED",
    message: "what was asked for is not what was approved any more",
    policyHash: decision.policyHash,
  };
}

function fault(code: CmcpError["code"], message: string): Extract<Reply, { ok: false }> {
  return { ok: false, code, message, data: { error_code: code } };
}

/** The class of the data a call is about: what the catalog says of it, or more if the caller declared more. */
function dataClassOf(core: Core, subject: Target | null, declared: string | null): string | null {
  if (subject === null) return null;
  const known = sensitivityOfTool(core.vocabulary, invoked(subject));
  return declared !== null && core.vocabulary.has(declared) ? core.vocabulary.max(known, declared) : known;
}

/** What policy said of a call that the mode let through, whatever became of it then. */
function advisoryDetail(decision: Decision): Record<string, string> {
  if (!isPermitted(decision) || decision.advisory === null) return {};
  return {
    advisory_decision: decision.advisory.decision,
    advisory_rule: decision.rule,
    advisory_code: decision.advisory.code,
  };
}

/** The method of what is no tool call; a tool call needs no word, as its entry type says it. */
function methodDetail({ method }: AgentRequest): Record<string, string> {
  return method === "tools/call" ? {} : { method };
}

/** Writes the call's one entry, waits until the host holds it, and attaches the receipt to the reply. */
async function finish(
  core: Core,
  recorded: RecordedSession,
  call: Call,
  decision: Decision,
  ending: Ending,
  reply: Reply,
): Promise<Reply> {
  const { subject } = decision;
  const approved = subject === null ? null : approvedOf(subject);
  if (isPermitted(decision) && decision.advisory !== null && core.config.attestation.enforcement_mode === "advisory")
    reportAdvisory(call.id, decision.advisory.code);
  const raisedTo = ending.sent ? call.request.dataClass : null;
  const sensitivity = recordCall(core.vocabulary, recorded.session, {
    callId: call.id,
    tool: subject === null ? null : invoked(subject),
    decision: ending.decision,
    sent: ending.sent,
    ...(raisedTo === null ? {} : { raisedTo }),
  });
  const receipt = await recordDecision(core, recorded, {
    entry_type: "tool_call",
    call_id: call.id,
    tool_name: subject === null ? call.request.name : nameOf(subject),
    server_identity: approved?.server.identity ?? null,
    policy_decision: ending.decision,
    policy_rule_matched: ending.rule,
    latency_us: Math.round((performance.now() - call.startedAt) * 1000),
    request_payload_hash: call.requestHash,
    response_payload_hash: ending.responseHash ?? null,
    response_inspection_result: ending.inspection ?? "n/a",
    session_sensitivity_before: sensitivity.before,
    session_sensitivity_after: sensitivity.after,
    detail: {
      policy_hash: decision.policyHash,
      ...callerDetail(call.caller),
      ...methodDetail(call.request),
      ...advisoryDetail(decision),
      ...(ending.sent && approved !== null ? { compliance_domain: approved.complianceDomain } : {}),
      ...ending.detail,
    },
    workflow_id: workflowOf(call.decided),
    evidence_class: approved === null ? "hash-only" : core.upstreams.evidenceOf(approved.server),
    effective_data_class: dataClassOf(core, subject, call.request.dataClass),
  });
  const claimed = core.config.enclave.claims === "call" ? { claim: await claimReference(core, recorded) } : {};
  const attached = { ...receipt } as unknown as JsonObject;
  if (reply.ok === false) return { ...reply, data: { ...reply.data, call_id: call.id, receipt: attached, ...claimed } };
  const own = {
    [RECEIPT_META_KEY]: attached,
    ...(claimed.claim === undefined ? {} : { [CLAIM_META_KEY]: claimed.claim }),
  };
  if (reply.ok === "input" || reply.ok === "task") return { ...reply, meta: own };
  const meta = reply.result._meta;
  return { ok: true, result: { ...reply.result, _meta: { ...(isJsonObject(meta) ? meta : {}), ...own } } };
}

/** Makes the session's claim so far and says which it is. */
async function claimReference(core: Core, recorded: RecordedSession): Promise<JsonObject> {
  const claim = await claimSoFar(core, recorded);
  return { sequence_number: claim.gateway.sequence_number, claim_hash: claimHash(claim) };
}
