import { History, SinkCeilings, WindowLimits } from "@cmcp/limits";
import { CallRunner } from "../call/call-runner.ts";
import type { LimitPorts } from "../call/check-limits.ts";
import type { ContentFindings } from "../call/content-findings.ts";
import { Decider } from "../call/decide.ts";
import { FindingLabels } from "../call/finding-labels.ts";
import { CallPipeline, type PipelinePorts } from "../call/pipeline.ts";
import type { RequestStates } from "../call/request-state.ts";
import { subscriber } from "../call/subscribe.ts";
import type { Tasks } from "../call/tasks.ts";
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
}

/** The parts that the pipeline is composed from. */
export interface ComposedParts extends CallState {
  readonly instance: InstanceParts;
  readonly access: AccessParts;
  readonly servers: ServerParts;
  readonly record: RecordParts;
}

/** Composes the pipeline of stages, each with its own ports. */
export function composeCall(
  launch: AcceptedLaunch,
  contents: LaunchContents,
  from: ComposedParts,
): { readonly decider: Decider; readonly calls: CallRunner } {
  const decider = deciderOf(launch, contents, from);
  const line = new CallPipeline(linePorts(launch, contents, from, decider));
  const { access, servers } = from;
  const { catalog } = contents;
  const calls = new CallRunner({ line, admission: access.admission, catalog, subscriptions: servers.subscriptions });
  return { decider, calls };
}

function deciderOf(launch: AcceptedLaunch, contents: LaunchContents, from: ComposedParts): Decider {
  const { config, platform, isolation } = launch;
  const { catalog, vocabulary } = contents;
  const { access } = from;
  return new Decider({
    catalog,
    gateway: {
      vocabulary,
      enforcementMode: config.attestation.enforcement_mode,
      catalogHash: catalog.hash,
      platform: platform.launch.platform,
      isolation,
      tools: [...catalog.tools.keys()],
      workflowTools: config.enclave.workflow_tools,
      history: new History(contents.bundle.history, {
        now: from.instance.monotonic,
        first: from.record.first,
      }),
      content: from.content,
    },
    workflows: {
      mayUse: (caller, workflow) => access.principals.workflowsOf(caller).includes(workflow),
      isLabel: (label) => vocabulary.has(label),
    },
    limits: limitsOf(launch, contents, from),
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
    isPolicyTrusted: () => instance.activePolicy.isTrusted,
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
  { config }: AcceptedLaunch,
  { catalog, vocabulary }: LaunchContents,
  from: ComposedParts,
  decider: Decider,
): PipelinePorts {
  const { instance, servers, record, tasks, states, content } = from;
  const labels = new FindingLabels(config.enclave.finding_labels ?? {}, vocabulary);
  const { upstreams, subscriptions, drift } = servers;
  const { recorder, sessions, journal, claims } = record;
  const advises = config.attestation.enforcement_mode === "advisory";
  return {
    vocabulary,
    decider,
    states,
    tasks,
    questions: {
      decider,
      policy: () => instance.activePolicy.current,
      advisory: (callId, code) => {
        if (advises) reportAdvisory(callId, code);
      },
    },
    drift: {
      drift,
      recordDrift: async ({ recorded }, target, found) => await recorder.drift(recorded, target, found),
      policy: config.catalog.drift_policy,
    },
    intent: {
      vocabulary,
      labels,
      recordIntent: async (recorded, intent) => await recorder.intent(recorded, intent),
      hasWitnesses: record.witnesses !== null,
    },
    send: { upstreams, subscribe: subscriber({ subscriptions, upstreams }) },
    delivery: { decider, content, labels },
    inspection: { maxBytes: config.max_response_size_bytes, states, tasks },
    cancel: { catalog, tasks, subscriptions, upstreams, now: () => instance.clock.now().getTime() },
    record: {
      vocabulary,
      recordDecision: async (recorded, fields) => {
        const receipt = recorder.decision(recorded, fields);
        // The entry is in the chain. It is counted before anything else is decided.
        record.stops.count(recorded, fields);
        return await receipt;
      },
      refusalReceipt: (recorded) => record.stops.receiptFor(recorded),
      evidenceOf: (server) => upstreams.evidenceOf(server),
      claim: config.enclave.claims === "call" ? async (recorded) => await claims.claimOpen(recorded) : null,
    },
    unnamedWorkflow: (caller) => from.access.principals.unnamedWorkflow(caller),
    start: async (recorded) => {
      journal.assertWritable();
      sessions.touch(recorded);
      await recorder.ensureStarted(recorded);
    },
  };
}
