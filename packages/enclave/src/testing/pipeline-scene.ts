import assert from "node:assert/strict";
import type { CallKey } from "@cmcp/audit";
import type { JsonObject } from "@cmcp/boundary";
import type { Catalog } from "@cmcp/catalog";
import { silentPeer, type AgentRequest, type Peer, type RpcBody } from "@cmcp/mcp";
import type { CompiledPolicy } from "@cmcp/policy";
import { callCatalog } from "./call-catalog.ts";
import { deciderOf, policyStub, requestFor, upstreamStub } from "./calls.ts";
import { noApprovals } from "./approvals.ts";
import { Disclosures } from "../call/disclosures.ts";
import type { DisclosurePorts } from "../call/disclose.ts";
import { callEntriesOf, intentsOf } from "./entries.ts";
import { HostStore, recordRoom } from "./record-room.ts";
import { Caller } from "../access/caller.ts";
import type { ApprovalPorts } from "../call/approve.ts";
import type { LimitPorts } from "../call/check-limits.ts";
import { ContentFindings } from "../call/content-findings.ts";
import { FindingLabels } from "../call/finding-labels.ts";
import { CallPipeline, type PipelinePorts } from "../call/pipeline.ts";
import { RequestStates } from "../call/request-state.ts";
import { Tasks } from "../call/tasks.ts";
import { Deferrals, type WhileWaiting } from "../call/wait-deferred.ts";

const catalog = callCatalog();
/** Parameters of a question that asks for nothing. */
export const FORM: JsonObject = { message: "Which?", requestedSchema: { type: "object", properties: {} } };
/** A task as its server describes it. */
export const STATE: JsonObject = {
  taskId: "theirs",
  status: "working",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:00Z",
};

/** What differs from an allowing policy and a server that answers with nothing. */
export interface Scene {
  readonly policy?: CompiledPolicy;
  /** The policy that is in force when a call arrives, where that changes. */
  readonly policyNow?: () => CompiledPolicy;
  /** The catalog that is in force when a call arrives, where that changes. */
  readonly catalogNow?: () => Catalog;
  readonly mode?: "enforcing" | "advisory" | "silent";
  readonly drifted?: boolean;
  readonly hasWitnesses?: boolean;
  readonly channel?: "plain" | "sealed";
  readonly answer?: Parameters<typeof upstreamStub>[0];
  readonly approvals?: ApprovalPorts;
  /** Owners' permissions, but for the recorder; nobody's by default. */
  readonly disclosures?: Omit<DisclosurePorts, "recorder">;
  readonly limits?: Partial<LimitPorts>;
  /** Calls that a rule defers; none waits without it. */
  readonly deferrals?: Deferrals;
}

const HOLDS_NO_SLOT: WhileWaiting = async (wait) => await wait();

/** One session on a real record, behind a line whose servers answer as a test says. */
export async function start(scene: Scene = {}) {
  const { policy = policyStub(), mode = "enforcing", drifted = false, hasWitnesses = false, answer } = scene;
  const caller = new Caller({ principalId: "alice", source: "bearer" }, null, { channel: scene.channel ?? "plain" });
  const store = new HostStore();
  const room = recordRoom(store);
  const recorded = await room.sessions.openOrJoin(caller, null);
  const { vocabulary, recorder } = room;
  const atSend: number[] = [];
  const upstreams = upstreamStub(async (request, peer) => {
    atSend.push(intentsOf(store, recorded.session.id).length);
    return answer === undefined ? { kind: "complete", result: { content: [] } } : await answer(request, peer);
  });
  const [tasks, states, decider] = [new Tasks(() => 0), new RequestStates(() => 0), deciderOf(mode, scene.limits)];
  const labels = new FindingLabels({}, vocabulary);
  const advisories: string[] = [];
  const removed: string[] = [];
  const ports: PipelinePorts = {
    vocabulary,
    decider,
    states,
    tasks,
    questions: {
      decider,
      rules: () => ({
        policy: (scene.policyNow ?? (() => policy))(),
        catalog: (scene.catalogNow ?? (() => catalog))(),
      }),
      advisory: (_, code) => void advisories.push(code),
    },
    drift: {
      monitorOf: () => ({ driftOf: async () => (drifted ? "changed" : null), taskSupport: () => "optional" }),
      recordDrift: async (call, target, drift) => await recorder.drift(call.recorded, target, drift),
      policy: "fail_closed",
    },
    intent: {
      vocabulary,
      labels,
      recordIntent: async (session, intent) => await recorder.intent(session, intent),
      hasWitnesses,
      namesCatalog: false,
    },
    send: { upstreams, subscribe: async () => undefined, search: async () => ({ content: [] }) },
    egress: {
      decider,
      rules: () => ({ policy, catalog }),
      record: async (session, fields) => await recorder.note(session, fields).stored,
    },
    inspection: { maxBytes: 10_000, states, tasks },
    delivery: { decider, content: new ContentFindings(null), labels },
    approvals: scene.approvals ?? noApprovals(),
    deferrals: scene.deferrals ?? new Deferrals({ ms: 0, now: () => 0, later: () => () => undefined }),
    disclosures: { ...(scene.disclosures ?? noDisclosures()), recorder },
    cancel: {
      tasks,
      subscriptions: { remove: (_, __, uri) => void removed.push(uri) },
      upstreams,
      now: () => 0,
    },
    record: {
      vocabulary,
      recordDecision: async (session, fields, texts) => await recorder.decision(session, fields, texts),
      namesCatalog: false,
      mayUse: (_, workflow) => workflow === "default",
      evidenceOf: () => "hash-only",
      serverDetail: () => ({}),
      refusalReceipt: () => ({}),
      claim: null,
    },
    unnamedWorkflow: () => "default",
    start: async (session) => await recorder.ensureStarted(session),
  };
  const line = new CallPipeline(ports);
  const run = async (
    rest: Partial<AgentRequest> = {},
    peer: Peer = silentPeer(new AbortController().signal),
    whileWaiting: WhileWaiting = HOLDS_NO_SLOT,
  ) => await line.run({ recorded, caller, request: requestFor(rest) }, peer, whileWaiting);
  const runKeyed = async (request: AgentRequest, keyed: CallKey | null, peer: Peer): Promise<RpcBody> =>
    await line.run({ recorded, caller, request, keyed }, peer, HOLDS_NO_SLOT);
  const entries = () => callEntriesOf(store, recorded.session.id);
  const intents = () => intentsOf(store, recorded.session.id);
  return { run, runKeyed, entries, intents, upstreams, atSend, tasks, recorded, store, advisories, removed, room };
}

function noDisclosures(): Omit<DisclosurePorts, "recorder"> {
  return { approvers: { eligible: () => null }, disclosures: new Disclosures(() => 0), instance: "i", now: () => 0 };
}

/** The code of a refusal. */
export function codeOf(body: RpcBody): unknown {
  assert.ok("error" in body);
  return body.error.data?.["error_code"];
}
