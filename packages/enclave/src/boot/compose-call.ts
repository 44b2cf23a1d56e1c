import { DEFAULT_DEFER_SECONDS } from "@cmcp/launch";
import { History, SinkCeilings, WindowLimits } from "@cmcp/limits";
import { CallRunner } from "../call/call-runner.ts";
import type { LimitPorts } from "../call/check-limits.ts";
import type { WorkflowPorts } from "../call/check-workflow.ts";
import type { ContentFindings } from "../call/content-findings.ts";
import { Decider } from "../call/decide.ts";
import type { Disclosures } from "../call/disclosures.ts";
import { FindingLabels } from "../call/finding-labels.ts";
import type { HeldAnswers } from "../call/held-answers.ts";
import { CallPipeline, type PipelinePorts } from "../call/pipeline.ts";
import type { PendingApprovals } from "../call/pending-approvals.ts";
import { RequestStates } from "../call/request-state.ts";
import { RunOnce } from "../call/run-once.ts";
import type { ApprovalNotices } from "../servers/approval-notices.ts";
import { subscriber } from "../call/subscribe.ts";
import type { Tasks } from "../call/tasks.ts";
import { Deferrals } from "../call/wait-deferred.ts";
import { Cursors } from "../http/cursor.ts";
import { Lists, searchResult } from "../http/lists.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import { reportAdvisory } from "../instance/stderr-events.ts";
import type { AccessParts } from "./compose-access.ts";
import type { InstanceParts } from "./compose-instance.ts";
import type { RecordParts } from "./compose-record.ts";
import type { ServerParts } from "./compose-servers.ts";
import type { AcceptedLaunch, LaunchContents } from "./launch.ts";

/** State that outlives a call. */
export interface CallState {
  /** Tasks at servers. */
  readonly tasks: Tasks;
  /** States of requests that wait for input. */
  readonly states: RequestStates;
  readonly content: ContentFindings;
  /** Answers of calls with idempotency keys. */
  readonly held: HeldAnswers;
  /** Calls that wait for approvals. */
  readonly pending: PendingApprovals;
  /** Say that calls wait; `null` where nobody is told. */
  readonly notices: ApprovalNotices | null;
  /** Owners' permissions. */
  readonly disclosures: Disclosures;
}

/** The parts that the pipeline is composed from. */
export interface ComposedParts extends CallState {
  readonly instance: InstanceParts;
  readonly access: AccessParts;
  readonly servers: ServerParts;
  readonly record: RecordParts;
}

/** The parts, and who signs. */
export interface CallInputs extends ComposedParts {
  readonly key: Pick<SigningKey, "sign">;
  /** RFC 7638 thumbprint of the key, base64url. */
  readonly name: string;
}

/** Composes the pipeline of stages, each with its own ports. */
export function composeCall(
  launch: AcceptedLaunch,
  contents: LaunchContents,
  from: CallInputs,
): { readonly lists: Lists; readonly calls: CallRunner } {
  const decider = deciderOf(launch, contents, from);
  const lists = listsOf(launch, from, decider);
  const line = new CallPipeline(linePorts(launch, contents, from, { decider, lists }));
  const { access, servers, record } = from;
  const calls = new CallRunner({
    line,
    once: new RunOnce({ keyed: record.keyed, held: from.held, turns: access.turns }),
    admission: access.admission,
    rules: () => from.instance.rules.current,
    subscriptions: servers.subscriptions,
    sessions: record.sessions,
  });
  return { lists, calls };
}

function listsOf({ config }: AcceptedLaunch, { instance, access, servers }: CallInputs, decider: Decider): Lists {
  const { listed_tools: listed } = config.enclave;
  return new Lists({
    decider,
    rules: () => instance.rules.current,
    workflows: (caller) => access.principals.listedWorkflows(caller),
    cursors: new Cursors(),
    monitorOf: (catalog) => servers.drift.of(catalog),
    turns: access.turns,
    listed: listed === undefined ? null : new Set(listed),
  });
}

function deciderOf(launch: AcceptedLaunch, contents: LaunchContents, from: ComposedParts): Decider {
  const { config, platform, isolation } = launch;
  const { vocabulary } = contents;
  return new Decider({
    gateway: {
      vocabulary,
      enforcementMode: config.attestation.enforcement_mode,
      platform: platform.launch.platform,
      isolation,
      workflowTools: config.enclave.workflow_tools,
      history: new History(contents.bundle.history, {
        now: from.instance.monotonic,
        first: from.record.first,
      }),
      content: from.content,
    },
    workflows: {
      mayUse: mayUseOf(from),
      isLabel: (label) => vocabulary.has(label),
    },
    limits: limitsOf(launch, contents, from),
    manifests: from.record.manifests,
    approvers: from.access.approvers,
    defers: deferMs(launch) > 0,
  });
}

/** How long a call may wait that a rule defers. */
function deferMs({ config: { enclave } }: AcceptedLaunch): number {
  return (enclave.defer_seconds ?? DEFAULT_DEFER_SECONDS) * 1000;
}

function deferralsOf(launch: AcceptedLaunch, { instance }: ComposedParts): Deferrals {
  return new Deferrals({
    ms: deferMs(launch),
    now: instance.monotonic,
    later: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  });
}

function limitsOf(
  { config: { enclave, sink_policy: sinks } }: AcceptedLaunch,
  { vocabulary }: LaunchContents,
  { instance, record }: ComposedParts,
): LimitPorts {
  const { rate_limits = [], budgets = [] } = enclave;
  const rules = [
    ...rate_limits.map((rule) => ({ ...rule, of: "calls" as const, max: rule.max_calls })),
    ...budgets.map((rule) => ({ ...rule, of: "bytes" as const, max: rule.max_bytes_sent })),
  ];
  const limits = rules.map(({ principal = null, tool = null, window_seconds: seconds, of, max }) => ({
    principal,
    tool,
    windowMs: seconds * 1000,
    of,
    max,
  }));
  return {
    holdOf: (principal) => record.stops.holdOf(principal),
    isPolicyTrusted: () => instance.rules.isTrusted,
    windows: new WindowLimits(limits, instance.monotonic),
    sinks:
      sinks === undefined
        ? null
        : new SinkCeilings(sinks.tool_max_sensitivity, sinks.response_max_sensitivity, (label) =>
            vocabulary.rank(label),
          ),
    vocabulary,
  };
}

function linePorts(
  launch: AcceptedLaunch,
  contents: LaunchContents,
  from: CallInputs,
  { decider, lists }: { readonly decider: Decider; readonly lists: Lists },
): PipelinePorts {
  const [{ config }, { vocabulary }] = [launch, contents];
  const { instance, servers, record, tasks, states, content } = from;
  const labels = new FindingLabels(config.enclave.finding_labels ?? {}, vocabulary);
  const { upstreams, subscriptions, drift } = servers;
  const { recorder, sessions, journal } = record;
  const advises = config.attestation.enforcement_mode === "advisory";
  return {
    vocabulary,
    decider,
    states,
    tasks,
    questions: {
      decider,
      rules: () => instance.rules.current,
      advisory: (callId, code) => {
        if (advises) reportAdvisory(callId, code);
      },
    },
    drift: {
      monitorOf: (catalog) => drift.of(catalog),
      recordDrift: async ({ recorded }, target, found) => await recorder.drift(recorded, target, found),
      policy: config.catalog.drift_policy,
    },
    intent: {
      vocabulary,
      labels,
      namesCatalog: namesCatalog(launch),
      recordIntent: async (recorded, intent) => await recorder.intent(recorded, intent),
      hasWitnesses: record.witnesses !== null,
    },
    send: {
      upstreams,
      subscribe: subscriber({ subscriptions, upstreams }),
      search: async (call, signal) => searchResult(await lists.search(call, signal)),
    },
    delivery: { decider, content, labels },
    egress: {
      decider,
      rules: () => instance.rules.current,
      record: async (recorded, fields) => await recorder.note(recorded, fields).stored,
    },
    ...waitingPorts(launch, from),
    inspection: { maxBytes: config.max_response_size_bytes, states, tasks },
    cancel: { tasks, subscriptions, upstreams, now: () => instance.clock.now().getTime() },
    record: recordPorts(launch, contents, from),
    unnamedWorkflow: (caller) => from.access.principals.unnamedWorkflow(caller),
    start: async (recorded) => {
      journal.assertWritable();
      sessions.touch(recorded);
      await recorder.ensureStarted(recorded);
    },
  };
}

/** What calls wait for: people, or a later decision. */
function waitingPorts(
  launch: AcceptedLaunch,
  from: CallInputs,
): Pick<PipelinePorts, "approvals" | "deferrals" | "disclosures"> {
  const approvals = approvalPorts(launch, from);
  return { approvals, disclosures: disclosurePorts(from), deferrals: deferralsOf(launch, from) };
}

function disclosurePorts({
  access: { approvers },
  record: { recorder },
  instance: { clock },
  disclosures,
  name,
}: CallInputs): PipelinePorts["disclosures"] {
  return { approvers, disclosures, recorder, instance: name, now: () => clock.now().getTime() };
}

function recordPorts(
  { config }: AcceptedLaunch,
  { vocabulary }: LaunchContents,
  { servers: { upstreams }, record, ...from }: CallInputs,
): PipelinePorts["record"] {
  const { recorder, claims } = record;
  return {
    vocabulary,
    namesCatalog: namesCatalog({ config }),
    recordDecision: async (recorded, fields, payloads) => {
      const receipt = recorder.decision(recorded, fields, payloads);
      // The entry is in the chain. It is counted before anything else is decided.
      record.stops.count(recorded, fields);
      return await receipt;
    },
    refusalReceipt: (recorded) => record.stops.receiptFor(recorded),
    mayUse: mayUseOf(from),
    evidenceOf: (server) => upstreams.evidenceOf(server),
    serverDetail: (server, session) => upstreams.detailOf(server, session),
    claim: config.enclave.claims === "call" ? async (recorded) => await claims.claimOpen(recorded) : null,
  };
}

function approvalPorts(
  { config }: AcceptedLaunch,
  { instance, access, content, pending, notices, key, name }: CallInputs,
): PipelinePorts["approvals"] {
  const { approval_seconds: seconds = 0, approval_url: url = null } = config.enclave;
  return {
    approvers: access.approvers,
    pending,
    content,
    states: new RequestStates(instance.monotonic),
    sign: (message) => key.sign(message),
    origin: config.log.origin,
    instance: name,
    seconds,
    url,
    notify: (request) => notices?.send(request),
    now: () => instance.clock.now().getTime(),
    monotonic: instance.monotonic,
  };
}

/** Whether the record says under which catalog a call was decided: where another may come into force. */
function namesCatalog({ config: { enclave } }: Pick<AcceptedLaunch, "config">): boolean {
  return enclave.catalog_keys !== undefined;
}

/** Whether a workflow is one of a caller's. */
function mayUseOf({ access }: Pick<ComposedParts, "access">): WorkflowPorts["mayUse"] {
  return (caller, workflow) => access.principals.workflowsOf(caller).includes(workflow);
}
