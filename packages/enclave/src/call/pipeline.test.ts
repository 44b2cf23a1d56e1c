import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import {
  readClientCapabilities,
  silentPeer,
  UpstreamRefusal,
  withGatewayMembers,
  type AgentRequest,
  type Peer,
  type RpcBody,
} from "@cmcp/mcp";
import type { CompiledPolicy } from "@cmcp/policy";
import { callCatalog } from "../testing/call-catalog.ts";
import { agentPeer, deciderOver, policyStub, requestFor, upstreamStub } from "../testing/calls.ts";
import { callEntriesOf, intentsOf } from "../testing/entries.ts";
import { HostStore, callerOf, recordRoom } from "../testing/record-room.ts";
import { canonicalHash } from "./canonical-hash.ts";
import { ContentFindings } from "./content-findings.ts";
import { FindingLabels } from "./finding-labels.ts";
import { CallPipeline, type PipelinePorts } from "./pipeline.ts";
import { RequestStates } from "./request-state.ts";
import { Tasks } from "./tasks.ts";

const catalog = callCatalog();
const caller = callerOf("alice");
const FORM: JsonObject = { message: "Which?", requestedSchema: { type: "object", properties: {} } };
const STATE: JsonObject = {
  taskId: "theirs",
  status: "working",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:00Z",
};

interface Scene {
  readonly policy?: CompiledPolicy;
  readonly mode?: "enforcing" | "advisory" | "silent";
  readonly drifted?: boolean;
  readonly hasWitnesses?: boolean;
  readonly answer?: Parameters<typeof upstreamStub>[0];
}

/** One session on a real record, behind a line whose servers answer as a test says. */
async function start(scene: Scene = {}) {
  const { policy = policyStub(), mode = "enforcing", drifted = false, hasWitnesses = false, answer } = scene;
  const store = new HostStore();
  const room = recordRoom(store);
  const recorded = await room.sessions.openOrJoin(caller, null);
  const { vocabulary, recorder } = room;
  const atSend: number[] = [];
  const upstreams = upstreamStub(async (request, peer) => {
    atSend.push(intentsOf(store, recorded.session.id).length);
    return answer === undefined ? { kind: "complete", result: { content: [] } } : await answer(request, peer);
  });
  const [tasks, states, decider] = [new Tasks(() => 0), new RequestStates(() => 0), deciderOver(catalog, mode)];
  const labels = new FindingLabels({}, vocabulary);
  const advisories: string[] = [];
  const removed: string[] = [];
  const ports: PipelinePorts = {
    vocabulary,
    decider,
    states,
    tasks,
    questions: { decider, policy: () => policy, advisory: (_, code) => void advisories.push(code) },
    drift: {
      drift: { driftOf: async () => (drifted ? "changed" : null), taskSupport: () => "optional" },
      recordDrift: async (call, target, drift) => await recorder.drift(call.recorded, target, drift),
      policy: "fail_closed",
    },
    intent: {
      vocabulary,
      labels,
      recordIntent: async (session, intent) => await recorder.intent(session, intent),
      hasWitnesses,
    },
    send: { upstreams, subscribe: async () => undefined },
    inspection: { maxBytes: 10_000, states, tasks },
    delivery: { decider, content: new ContentFindings(null), labels },
    cancel: {
      catalog,
      tasks,
      subscriptions: { remove: (_, __, uri) => void removed.push(uri) },
      upstreams,
      now: () => 0,
    },
    record: {
      vocabulary,
      recordDecision: async (session, fields) => await recorder.decision(session, fields),
      evidenceOf: () => "hash-only",
      refusalReceipt: () => ({}),
      claim: null,
    },
    unnamedWorkflow: () => "default",
    start: async (session) => await recorder.ensureStarted(session),
  };
  const line = new CallPipeline(ports);
  const run = async (rest: Partial<AgentRequest> = {}, peer: Peer = silentPeer(new AbortController().signal)) =>
    await line.run({ recorded, caller, request: requestFor(rest) }, peer);
  const entries = () => callEntriesOf(store, recorded.session.id);
  const intents = () => intentsOf(store, recorded.session.id);
  return { run, entries, intents, upstreams, atSend, tasks, recorded, store, advisories, removed, room };
}

function codeOf(body: RpcBody): unknown {
  assert.ok("error" in body);
  return body.error.data?.["error_code"];
}

test("a call that policy allows is journalled, sent, inspected, recorded and answered with its receipt", async () => {
  const { run, entries, intents, upstreams, atSend } = await start();
  const body = await run({ arguments: { q: "a" } });
  assert.ok("result" in body && isJsonObject(body.result["_meta"]));
  const [entry] = entries();
  const [intent] = intents();
  assert.deepEqual([entries().length, upstreams.sent.length, atSend], [1, 1, [1]], "the intent is stored before");
  assert.equal(intent?.request_hash, entry?.request_payload_hash);
  assert.equal(intent?.call_id, entry?.call_id);
  const { method, params } = upstreams.sent[0] ?? {};
  assert.equal(entry?.request_payload_hash, canonicalHash({ method: method ?? "", params: params ?? {} }));
});

test("a refused call has one entry and no intent, and nothing is sent", async () => {
  const denying = await start({ policy: policyStub(() => ({ decision: "deny" })) });
  const allowing = await start();
  const drifting = await start({ drifted: true });
  for (const [{ run, entries, intents, upstreams }, rest, code, decision] of [
    [denying, {}, "POLICY_DENY", "deny"],
    [allowing, { name: "none" }, "TOOL_NOT_IN_CATALOG", "deny"],
    [allowing, { arguments: { x: 1 } }, "MCP_INVALID_REQUEST", "deny"],
    [allowing, { workflowId: "other" }, "WORKFLOW_NOT_ALLOWED", "deny"],
    [allowing, { method: "tasks/get", name: "none" }, "TASK_UNKNOWN", "deny"],
    [allowing, { method: "tasks/cancel", name: "none" }, "TASK_UNKNOWN", "deny"],
    [allowing, { input: { responses: null, state: "AAAA" } }, "REQUEST_STATE_INVALID", "deny"],
    [allowing, { task: { ttlMs: null }, arguments: { q: "x".repeat(65_536) } }, "MCP_INVALID_REQUEST", "fault"],
    [drifting, {}, "CATALOG_DRIFT_DETECTED", "deny"],
  ] as const) {
    const before = entries().length;
    const body = await run(rest);
    const last = entries().at(-1);
    assert.equal(codeOf(body), code);
    assert.deepEqual([entries().length, last?.policy_decision], [before + 1, decision], code);
    assert.deepEqual([intents(), upstreams.sent], [[], []], code);
    assert.equal(last?.session_sensitivity_after, "public");
  }
});

test("an answer to no question is neither sent nor hashed", async () => {
  const { run, entries, upstreams } = await start();
  await run({});
  await run({ input: { responses: { a: { action: "accept" } }, state: null } });
  const [first, second] = upstreams.sent;
  assert.deepEqual(second?.params, first?.params);
  const [one, other] = entries();
  assert.equal(other?.request_payload_hash, one?.request_payload_hash);
});

test("messages and questions before the result are recorded with it", async () => {
  const { run, entries } = await start({
    answer: async (_, peer) => {
      await peer.notify("notifications/message", { level: "info", data: "x" });
      const answer = await peer.ask("elicitation/create", FORM);
      assert.deepEqual(answer, { action: "decline" });
      return { kind: "complete", result: { content: [] } };
    },
  });
  const { peer, heard } = agentPeer({ wantsLog: true });
  await run({}, peer);
  const said = heard.map(([method, params]) => ({ method, params }));
  assert.equal(said.length, 2);
  const [entry] = entries();
  assert.equal(entry?.response_payload_hash, canonicalHash([...said, { result: { content: [] } }]));
  const answers = canonicalHash([{ method: "elicitation/create", answer: { action: "decline" } }]);
  assert.deepEqual(
    [entry?.detail?.["events_delivered"], entry?.detail?.["questions_asked"], entry?.detail?.["answers_payload_hash"]],
    [1, 1, answers],
  );
});

test("data counts as seen before the agent gets a message, also if the call fails", async () => {
  let seen = "";
  const { run, recorded, entries } = await start({
    answer: async (_, peer) => {
      await peer.notify("notifications/message", { level: "info", data: "x" });
      throw new CmcpError("UPSTREAM_TIMEOUT", "no", { detail: { sent: 1 } });
    },
  });
  const { peer } = agentPeer({
    notify: async () => {
      seen = recorded.session.sensitivity;
    },
  });
  await run({ name: "person", arguments: { q: "Ann" } }, peer);
  const [entry] = entries();
  assert.deepEqual([seen, entry?.session_sensitivity_after, entry?.policy_decision], ["pii", "pii", "fault"]);
});

test("text of a server that is not trusted counts as seen before the agent gets it", async () => {
  const seen: string[] = [];
  const { run, recorded } = await start({
    answer: async (_, peer) => {
      seen.push(recorded.session.integrity);
      await peer.notify("notifications/message", { level: "info", data: "x" });
      return { kind: "complete", result: { content: [] } };
    },
  });
  const { peer } = agentPeer({ notify: async () => void seen.push(recorded.session.integrity) });
  await run({}, peer);
  assert.deepEqual(seen, ["trusted", "untrusted"]);
});

test("a caller that goes after its answer aborts nothing at the server", async () => {
  const signals: AbortSignal[] = [];
  const { run } = await start({
    answer: (_, { signal }) => {
      signals.push(signal);
      if (signals.length > 1) throw new Error("a defect");
      return { kind: "complete", result: { content: [] } };
    },
  });
  const agent = new AbortController();
  const { peer } = agentPeer({ signal: agent.signal });
  for (let call = 0; call < 2; call += 1) await run({}, peer);
  agent.abort();
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false, false],
  );
});

test("the entry of a call that only the mode lets through says so", async () => {
  const policy = policyStub(() => ({ decision: "step_up", rule: "ask" }));
  const advised = { advisory_decision: "step_up", advisory_rule: "ask", advisory_code: "POLICY_DENY" };
  const detailOf = (detail: Readonly<Record<string, unknown>> | null | undefined): object => {
    const { advisory_decision, advisory_rule, advisory_code } = detail ?? {};
    return { advisory_decision, advisory_rule, advisory_code };
  };
  const through = await start({ policy, mode: "advisory" });
  await through.run();
  const [entry] = through.entries();
  assert.deepEqual([entry?.policy_decision, detailOf(entry?.detail)], ["advisory_deny", advised]);
  assert.deepEqual(through.advisories, ["POLICY_DENY"]);
  const drifted = await start({ policy, mode: "advisory", drifted: true });
  await drifted.run();
  const [stopped] = drifted.entries();
  assert.deepEqual([stopped?.policy_decision, detailOf(stopped?.detail)], ["deny", advised]);
});

test("text that could repeat redacted fields is removed from questions, log messages and errors", async () => {
  const policy = policyStub(() => ({ decision: "redact", redactFields: ["ssn"] }));
  const { run } = await start({
    policy,
    answer: async (_, peer) => {
      assert.equal(peer.wantsLog, false);
      await peer.notify("notifications/message", { level: "info", data: "SECRET" });
      await peer.ask("elicitation/create", { ...FORM, message: "SECRET" });
      return { kind: "complete", result: { content: [] } };
    },
  });
  const { peer, heard } = agentPeer({ wantsLog: true });
  const body = await run({ name: "person", arguments: { q: "Ann" } }, peer);
  assert.deepEqual([heard, JSON.stringify(body).includes("SECRET")], [[], false]);
  assert.equal(codeOf(body), "POLICY_DENY");
});

test("a task reservation is released by a call that becomes no task, and kept by one that does", async () => {
  const capabilities = readClientCapabilities({ extensions: { "io.modelcontextprotocol/tasks": {} } });
  const { peer } = agentPeer({ capabilities });
  const plain = await start();
  await plain.run({}, peer);
  assert.equal(plain.tasks.size, 0);
  const made = await start({ answer: () => ({ kind: "task", task: STATE }) });
  await made.run({}, peer);
  assert.equal(made.tasks.size, 1);
  const failing = await start({ answer: () => Promise.reject(new Error("a defect")) });
  await failing.run({ task: { ttlMs: null } }, peer);
  assert.equal(failing.tasks.size, 0);
});

test("a task is cancelled once, whatever label or workflow the request names, and policy is not asked", async () => {
  let asked = 0;
  const policy = policyStub(() => {
    asked += 1;
    return asked === 1 ? {} : { decision: "deny" };
  });
  const { run, tasks, recorded, upstreams, entries, atSend } = await start({
    policy,
    answer: ({ method }) =>
      method === "tools/call" ? { kind: "task", task: STATE } : { kind: "complete", result: { words: "SECRET" } },
  });
  await run({ task: { ttlMs: null } });
  const [task] = tasks.list(recorded.session.id);
  const cancel = { method: "tasks/cancel", name: task?.taskId ?? "", dataClass: "none", workflowId: "other" } as const;
  const bodies = await Promise.all([run(cancel), run(cancel), run(cancel)]);
  for (const body of bodies) assert.ok("result" in body && body.result["status"] === "cancelled");
  assert.equal(JSON.stringify(bodies).includes("SECRET"), false);
  assert.deepEqual(
    [asked, upstreams.sent.map(({ method }) => method), atSend],
    [1, ["tools/call", "tasks/cancel"], [1, 2]],
  );
  assert.deepEqual(
    entries().map(({ policy_decision: decision, workflow_id: workflow }) => [decision, workflow]),
    Array.from({ length: 4 }, () => ["allow", "default"]),
  );
});

test("a task's session is the one it was made in", async () => {
  const [one, other] = [await start({ answer: () => ({ kind: "task", task: STATE }) }), await start()];
  await one.run({ task: { ttlMs: null } });
  const [task] = one.tasks.list(one.recorded.session.id);
  for (const method of ["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"] as const)
    assert.equal(codeOf(await other.run({ method, name: task?.taskId ?? "" })), "TASK_UNKNOWN", method);
  assert.deepEqual(other.upstreams.sent, []);
});

test("without the host's acknowledgement nothing is sent or answered", async () => {
  const { run, room, upstreams, entries } = await start();
  await run();
  room.journal.behind = true;
  await assert.rejects(run(), { code: "AUDIT_STORE_UNAVAILABLE" });
  assert.equal(upstreams.sent.length, 1);
  room.journal.behind = false;
  await run();
  assert.ok(entries().length > 1);
});

test("a session has a limit of entries", async () => {
  const { run, recorded, upstreams } = await start();
  await run();
  while (recorded.chain.length < 40_000) recorded.chain.append({ entry_type: "catalog_drift" });
  await assert.rejects(run(), { code: "SESSION_LIMIT_REACHED" });
  assert.equal(upstreams.sent.length, 1);
});

test("the gateway's members are not hashed, in a result and in an error", async () => {
  for (const [rest, scene] of [
    [{}, {}],
    [{ name: "none" }, {}],
  ] as const) {
    const { run, entries } = await start(scene);
    const { peer } = agentPeer();
    let presented: RpcBody | undefined;
    const body = await run(rest, { ...peer, present: (outcome) => (presented = peer.present(outcome)) });
    assert.ok(presented !== undefined);
    const last = "result" in presented ? { result: presented.result } : { error: { ...presented.error } };
    assert.equal(entries()[0]?.response_payload_hash, canonicalHash([last]));
    const members = "result" in body && isJsonObject(body.result["_meta"]) ? body.result["_meta"] : {};
    if ("result" in body) assert.deepEqual(body, withGatewayMembers(presented, members));
  }
});

test("a server sees that its answer may become a task only if room was reserved", async () => {
  const capabilities = readClientCapabilities({ roots: {}, extensions: { "io.modelcontextprotocol/tasks": {} } });
  const heard: unknown[] = [];
  const { run } = await start({
    answer: (_, { capabilities: told }) => {
      heard.push(told);
      return { kind: "complete", result: { content: [] } };
    },
  });
  const { peer } = agentPeer({ capabilities });
  await run({}, peer);
  await run({ arguments: { q: "x".repeat(65_536) } }, peer);
  assert.deepEqual(heard, [capabilities, { roots: {} }]);
});

test("where the log has witnesses, an answer of the agent has an intent of its own before it reaches the server", async () => {
  for (const [hasWitnesses, expected] of [
    [false, 1],
    [true, 2],
  ] as const) {
    const atAnswer: number[] = [];
    const { run, intents, entries } = await start({
      hasWitnesses,
      answer: async (_, peer) => {
        await peer.ask("elicitation/create", { message: "?", requestedSchema: { type: "object", properties: {} } });
        atAnswer.push(intents().length);
        return { kind: "complete", result: { content: [] } };
      },
    });
    const { peer } = agentPeer({ ask: async () => ({ action: "decline" }) });
    await run({}, peer);
    assert.deepEqual([atAnswer, entries().length], [[expected], 1]);
    assert.equal(new Set(intents().map(({ call_id: id }) => id)).size, 1);
  }
});

const SECRET = "the patient of room nine has been started on amoxicillin";
const noFlows = policyStub(
  ({ flows }) => ({ decision: flows.flows.length > 0 || !flows.complete ? "deny" : "allow" }),
  {
    reads: (_, attribute) => attribute === "flow_labels",
  },
);

for (const [what, answer] of [
  ["a result", () => ({ kind: "complete" as const, result: { content: [{ type: "text", text: SECRET }] } })],
  [
    "a log message",
    async (_request: unknown, peer: Peer) => {
      await peer.notify("notifications/message", { level: "info", data: SECRET });
      return { kind: "complete" as const, result: { content: [] } };
    },
  ],
  [
    "a question",
    async (_request: unknown, peer: Peer) => {
      await peer.ask("elicitation/create", {
        mode: "form",
        message: SECRET,
        requestedSchema: { type: "object", properties: {} },
      });
      return { kind: "complete" as const, result: { content: [] } };
    },
  ],
  [
    "an error",
    () => {
      throw new UpstreamRefusal({ code: -32_000, message: SECRET });
    },
  ],
] satisfies readonly (readonly [string, NonNullable<Scene["answer"]>])[])
  test(`what the agent is handed in ${what} is found in a later call`, async () => {
    const { run, upstreams, entries } = await start({ policy: noFlows, answer });
    const { peer } = agentPeer();
    const present: Peer["present"] = (outcome) =>
      outcome.kind === "error" && outcome.rpc !== undefined
        ? { error: { code: outcome.rpc.code, message: outcome.rpc.message }, status: 200 }
        : peer.present(outcome);
    await run({ arguments: { q: "which" } }, { ...peer, present });
    assert.equal(upstreams.sent.length, 1);
    assert.equal(codeOf(await run({ arguments: { q: `FYI ${SECRET}` } })), "POLICY_DENY");
    assert.match(String(entries().at(-1)?.detail?.["flow_from"]), /^notes\/lookup:fingerprint:/);
    await run({ arguments: { q: "which" } }, agentPeer().peer);
    assert.equal(upstreams.sent.length, 2);
  });
