import { randomUUID } from "node:crypto";
import { SessionChain } from "@cmcp/audit";
import type { JsonObject } from "@cmcp/boundary";
import type { Catalog, Target } from "@cmcp/catalog";
import {
  silentPeer,
  plainRequest,
  type AgentRequest,
  type Peer,
  type TaskState,
  type UpstreamAnswer,
  type UpstreamRequest,
} from "@cmcp/mcp";
import {
  readBundle,
  type CedarRequest,
  type CompiledPolicy,
  type GovernedFacts,
  type PolicyBundle,
  type Verdict,
} from "@cmcp/policy";
import { History, WindowLimits } from "@cmcp/limits";
import { SessionTable, Vocabulary } from "@cmcp/session";
import { ContentFindings } from "../call/content-findings.ts";
import { createCall, type Call } from "../call/call.ts";
import type { LimitPorts } from "../call/check-limits.ts";
import { Decider, type DeciderPorts } from "../call/decide.ts";
import type { GatewayFacts } from "../call/policy-facts.ts";
import { InspectedPeer, type InspectedPeerOptions } from "../call/inspected-peer.ts";
import type { Permit } from "../call/permit.ts";
import { Tasks } from "../call/tasks.ts";
import { RecordedSession } from "../record/recorded-session.ts";
import { SessionCommitments } from "../record/session-commitments.ts";
import type { Rules } from "../call/rules.ts";
import { callCatalog } from "./call-catalog.ts";
import { callerOf } from "./record-room.ts";

/** A request for the tool `lookup` without arguments, but for what a test says. */
export function requestFor(rest: Partial<AgentRequest> = {}): AgentRequest {
  return { ...plainRequest("tools/call", "lookup"), requestId: 1, ...rest };
}

/** A new session of this principal, at the lowest label. */
export function sessionOf(principal = "alice", vocabulary = new Vocabulary()): RecordedSession {
  const table = new SessionTable({ vocabulary, maxSessions: 4, maxPerPrincipal: 4, idleMs: 1e6, floorMs: 1e6 });
  const session = table.openByLabel(principal, null);
  return new RecordedSession(session, new SessionChain(session.id), {});
}

/** What a bundle of one rule is. */
export function bundleOf(cedar: string, schema = "namespace cMCP {}"): PolicyBundle {
  const manifest = {
    version: "1.0.0",
    authored_at: "2026-01-01T00:00:00Z",
    author_identity: "policy@example.org",
    commit_sha: "0f9d3c1",
  };
  return readBundle({ "manifest.json": JSON.stringify(manifest), "rules.cedar": cedar, "schema.cedarschema": schema });
}

const BUNDLE = bundleOf("permit (principal, action, resource);");

/** A verdict of a bundle's rule `r`. */
export function verdict(rest: Partial<Verdict> = {}): Verdict {
  return { decision: "allow", rule: "r", cause: "policy", reason: null, redactFields: [], keepFields: [], ...rest };
}

/** What {@link policyStub} asks Cedar. */
export function cedarRequest({ action, principal: { id } }: GovernedFacts): CedarRequest {
  return {
    principal: { type: "Principal", id },
    action: { type: "Action", id: action ?? "call_tool" },
    resource: { type: "Resource", id: "r" },
    context: {},
    entities: [],
  };
}

/** A policy in a test's own words; what it is not told it allows. */
export function policyStub(
  decide: (facts: GovernedFacts) => Partial<Verdict> = () => ({}),
  rest: Partial<Omit<CompiledPolicy, "decide">> = {},
): CompiledPolicy {
  return {
    bundle: BUNDLE,
    shape: "call_tool",
    warnings: [],
    reads: () => false,
    decidesDelivery: false,
    couldAllow: () => false,
    decidePermits: (facts, onRequest) => {
      onRequest?.(cedarRequest(facts));
      return verdict();
    },
    redactionOf: () => ({ redactFields: [], keepFields: [] }),
    ...rest,
    decide: (facts, onRequest) => {
      onRequest?.(cedarRequest(facts));
      return verdict(decide(facts));
    },
  };
}

/** What a test chooses of a call. */
export interface CallOptions {
  readonly recorded?: RecordedSession;
  readonly tasks?: Tasks;
  readonly policy?: CompiledPolicy;
  readonly catalog?: Catalog;
}

const CATALOG = callCatalog();

/** A policy in a test's own words, and the catalog of these tests. */
export function rulesStub(policy = policyStub()): Rules {
  return { policy, catalog: CATALOG };
}

/** A request that has just arrived. */
export function makeCall(request: AgentRequest = requestFor(), choices: CallOptions = {}): Call {
  const { recorded = sessionOf(), tasks = new Tasks(() => 0), policy = policyStub(), catalog = CATALOG } = choices;
  return createCall(recorded, callerOf(recorded.session.principalId), request, {
    tasks,
    rules: { policy, catalog },
    unnamedWorkflow: () => "default",
  });
}

/** Policy's leave for a target. */
export function permitFor(target: Target, rest: Partial<Permit> = {}): Permit {
  return { target, decision: "allow", rule: "r", redactFields: [], keepFields: [], advisory: null, ...rest };
}

/** What rules see of a gateway. */
export function gatewayWith(enforcementMode: GatewayFacts["enforcementMode"] = "enforcing"): GatewayFacts {
  return {
    vocabulary: new Vocabulary(),
    enforcementMode,
    platform: "software-only",
    isolation: "none",
    workflowTools: undefined,
    history: new History([], { now: () => 0, first: true }),
    content: new ContentFindings(null),
  };
}

/** Limits that refuse nothing, but for what a test says. */
export function noLimits(rest: Partial<LimitPorts> = {}): LimitPorts {
  const windows = new WindowLimits([], () => 0);
  return {
    holdOf: () => null,
    isPolicyTrusted: () => true,
    windows,
    sinks: null,
    vocabulary: new Vocabulary(),
    ...rest,
  };
}

/** Decides where every caller may use the default workflow alone. */
export function deciderOf(
  enforcementMode: GatewayFacts["enforcementMode"] = "enforcing",
  limits: Partial<LimitPorts> = {},
  {
    workflowTools,
    ...rest
  }: Partial<Pick<DeciderPorts, "approvers" | "manifests" | "defers"> & Pick<GatewayFacts, "workflowTools">> = {},
): Decider {
  const gateway = { ...gatewayWith(enforcementMode), workflowTools };
  const workflows = {
    mayUse: (_: unknown, workflow: string) => workflow === "default",
    isLabel: (label: string) => gateway.vocabulary.has(label),
  };
  return new Decider({
    gateway,
    workflows,
    limits: noLimits(limits),
    manifests: null,
    ...rest,
  });
}

/** A task as its server, which calls it `theirs`, says it is. */
export function taskState(rest: Partial<TaskState> = {}): TaskState {
  return {
    taskId: "theirs",
    status: "working",
    statusMessage: null,
    createdAt: "2026-01-01T00:00:00Z",
    lastUpdatedAt: "2026-01-01T00:00:00Z",
    ttlMs: null,
    pollIntervalMs: null,
    ...rest,
  };
}

/** What an agent was told and asked, in order. */
export type ReceivedMessages = (readonly [method: string, params: JsonObject])[];

/** An agent that answers what it is asked, and what it heard. */
export function agentPeer(
  rest: Partial<Peer> = {},
  answer: (method: string, params: JsonObject) => JsonObject = () => ({ action: "decline" }),
): { readonly peer: Peer; readonly heard: ReceivedMessages } {
  const heard: ReceivedMessages = [];
  const peer: Peer = {
    ...silentPeer(new AbortController().signal),
    input: "ask",
    capabilities: { elicitation: {}, sampling: {}, roots: {} },
    notify: async (method, params) => void heard.push([method, params]),
    ask: async (method, params) => {
      heard.push([method, params]);
      return answer(method, params);
    },
    ...rest,
  };
  return { peer, heard };
}

/** An agent as its server sees it, where policy lets the server ask anything. */
export function inspectedPeer(peer: Peer = agentPeer().peer, rest: Partial<InspectedPeerOptions> = {}): InspectedPeer {
  return new InspectedPeer(peer, {
    maxBytes: 1_000,
    withholdText: false,
    mode: "buffered",
    taskId: null,
    mayBecomeTask: false,
    delivery: { permits: () => true },
    questions: { permit: () => ({ permitAnswer: () => undefined }), detail: {} },
    commitments: new SessionCommitments(randomUUID()).ofCall("c"),
    onMessage: () => undefined,
    beforeAnswer: () => Promise.resolve(),
    onFirstMessage: () => undefined,
    ...rest,
  });
}

/** A server that answers as a test says, and what reached it. */
export function upstreamStub(
  answer: (request: UpstreamRequest, peer: Peer) => UpstreamAnswer | Promise<UpstreamAnswer>,
) {
  const sent: UpstreamRequest[] = [];
  return {
    sent,
    request: async (_server: unknown, _session: unknown, request: UpstreamRequest, peer: Peer) => {
      sent.push(request);
      return await answer(request, peer);
    },
  };
}
