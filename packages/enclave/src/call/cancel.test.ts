import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { UpstreamRefusal, type AgentRequest, type Peer, type UpstreamAnswer, type UpstreamRequest } from "@cmcp/mcp";
import { makeCall, requestFor, sessionOf, taskState, upstreamStub } from "../testing/calls.ts";
import { cancel, type CancelPorts } from "./cancel.ts";
import { fail, proceed, type Ending, type Step } from "./ending.ts";
import { Tasks } from "./tasks.ts";

const ANSWER: UpstreamAnswer = {
  kind: "complete",
  result: { taskId: "theirs", status: "cancelled", statusMessage: "SECRET" },
};

interface Choices {
  readonly answer?: (request: UpstreamRequest, peer: Peer) => UpstreamAnswer | Promise<UpstreamAnswer>;
  readonly journalIntent?: CancelPorts["journalIntent"];
}

/** A session with one task, whose server asked something; and a way to give the task up. */
function start({ answer = () => ANSWER, journalIntent = async () => proceed(null) }: Choices = {}) {
  const tasks = new Tasks(() => 0);
  const recorded = sessionOf();
  const made = requestFor({ arguments: { q: "SECRET" } });
  const task = tasks.reserve(recorded.session, made).commit(taskState({ statusMessage: "SECRET" }));
  tasks.update(recorded.session.id, task, taskState({ statusMessage: "SECRET" }), {
    a: { method: "roots/list", params: {} },
  });
  const upstreams = upstreamStub(answer);
  const removed: string[] = [];
  const subscriptions = { remove: (_: unknown, __: unknown, uri: string) => void removed.push(uri) };
  const ports: CancelPorts = { tasks, subscriptions, upstreams, journalIntent, now: () => 86_400_000 };
  const give = async (rest: Partial<AgentRequest> = {}, by = recorded): Promise<Ending> =>
    await cancel(
      makeCall(requestFor({ method: "tasks/cancel", name: task.id, ...rest }), { recorded: by, tasks }),
      ports,
    );
  return { tasks, recorded, task, upstreams, removed, give };
}

/** What an agent is told of a task that it gave up. */
function told({ outcome }: Ending) {
  assert.ok(outcome.kind === "task");
  return outcome;
}

test("a cancellation's entry names the server that it went to", async () => {
  const server = { trust: "private-ca", key: "SHA256:a", issuerKey: "SHA256:i" } as const;
  const found = { server_authentication: "private-ca", server_key: "SHA256:a", server_issuer_key: "SHA256:i" };
  const answering = (after: () => UpstreamAnswer) => (_: UpstreamRequest, peer: Peer) => {
    peer.authenticated?.(server);
    return after();
  };
  const refuse = (): never => {
    throw new CmcpError("UPSTREAM_TIMEOUT", "late", { detail: { sent: 1 } });
  };
  for (const [answer, outcome] of [
    [() => ANSWER, { outcome: "cancel_requested" }],
    [refuse, { outcome: "unknown", error_code: "UPSTREAM_TIMEOUT" }],
  ] as const) {
    const { detail } = await start({ answer: answering(answer) }).give();
    assert.deepEqual(detail, { ...outcome, ...found });
  }
});

test("a cancellation sends only the server's task id, and returns nothing of the server's", async () => {
  let peer: Peer | undefined;
  const { give, upstreams, task } = start({
    answer: (_, seen) => {
      peer = seen;
      return ANSWER;
    },
  });
  const ending = await give({
    trace: { traceparent: "SECRET" },
    arguments: { q: "SECRET" },
    input: { responses: { a: { action: "accept" } }, state: "SECRET" },
    task: { ttlMs: 5 },
  });
  assert.deepEqual(upstreams.sent, [{ method: "tasks/cancel", params: { taskId: "theirs" } }]);
  assert.deepEqual([peer?.capabilities, peer?.progressToken, peer?.wantsLog, peer?.input], [{}, null, false, "none"]);
  const { task: state, ending: rest } = told(ending);
  assert.deepEqual([state.taskId, state.status, state.statusMessage, rest], [task.id, "cancelled", null, {}]);
  assert.equal(state.lastUpdatedAt, "1970-01-02T00:00:00.000Z", "by the gateway's own account");
  assert.equal(JSON.stringify(ending.outcome).includes("SECRET"), false);
  assert.deepEqual([ending.decision, ending.rule, ending.sent], ["allow", "cancellation", true]);
});

test("a task that is cancelled twice is cancelled at its server once, with the same reply", async () => {
  const { give, upstreams } = start();
  const [first, second] = [await give(), await give()];
  assert.equal(upstreams.sent.length, 1);
  assert.deepEqual(told(second), told(first));
  assert.deepEqual([first.sent, second.sent], [true, false], "the second reaches nobody");
});

test("of two concurrent cancellations one reaches the server", async () => {
  const journalled = Promise.withResolvers<Step<null>>();
  const { give, upstreams } = start({ journalIntent: async () => await journalled.promise });
  const both = [give(), give()];
  journalled.resolve(proceed(null));
  await Promise.all(both);
  assert.equal(upstreams.sent.length, 1);
});

test("a cancelled task's open questions are closed", async () => {
  const { give, tasks, recorded, task } = start();
  await give();
  const found = tasks.find(recorded.session.id, task.id);
  assert.deepEqual([found?.questions, found?.cancelled], [{}, true]);
});

test("a result that arrives during a cancellation leaves the task cancelled", async () => {
  const working = Promise.withResolvers<UpstreamAnswer>();
  const { give, tasks, recorded, task, upstreams } = start({ answer: async () => await working.promise });
  const first = give();
  tasks.update(recorded.session.id, task, taskState({ status: "completed" }));
  working.resolve(ANSWER);
  assert.equal(told(await first).task.status, "cancelled");
  await give();
  assert.equal(upstreams.sent.length, 1);
  assert.equal(tasks.find(recorded.session.id, task.id)?.cancelled, true);
});

test("nothing is sent before the intent is stored, and a failed cancellation can be tried again", async () => {
  let late = true;
  const stored: CancelPorts["journalIntent"] = async (_, permit) =>
    late ? fail(permit, new CmcpError("AUDIT_STORE_UNAVAILABLE", "late")) : proceed(null);
  const { give, upstreams } = start({ journalIntent: stored });
  const unstored = await give();
  assert.ok(unstored.outcome.kind === "error");
  assert.deepEqual([unstored.outcome.code, unstored.sent, upstreams.sent], ["AUDIT_STORE_UNAVAILABLE", false, []]);
  late = false;
  assert.equal(told(await give()).task.status, "cancelled");
  assert.equal(upstreams.sent.length, 1);
});

test("a server's refusal is reported without its text, and the task can be cancelled again", async () => {
  let refuses = true;
  const { give, upstreams } = start({
    answer: () => {
      if (refuses) throw new UpstreamRefusal({ code: -32_602, message: "SECRET", data: { uri: "note://SECRET" } });
      return ANSWER;
    },
  });
  const { outcome, decision, sent } = await give();
  assert.ok(outcome.kind === "error");
  assert.deepEqual([outcome.code, outcome.rpc, decision, sent], ["UPSTREAM_CALL_REFUSED", undefined, "fault", true]);
  assert.equal(JSON.stringify(outcome).includes("SECRET"), false);
  refuses = false;
  await give();
  assert.equal(upstreams.sent.length, 2);
});

test("another session's task, an unknown one and one that has ended are refused alike", async () => {
  const { give, upstreams, tasks, recorded } = start();
  const unknown = async (ending: Promise<Ending>): Promise<void> => {
    const { outcome, rule, sent } = await ending;
    assert.ok(outcome.kind === "error");
    assert.deepEqual([outcome.code, rule, sent], ["TASK_UNKNOWN", "not-in-catalog", false]);
  };
  await unknown(give({}, sessionOf()));
  await unknown(give({}, sessionOf("bob")));
  await unknown(give({ name: "theirs" }));
  tasks.forget(recorded.session.id);
  await unknown(give());
  assert.deepEqual(upstreams.sent, []);
});

test("unsubscribing sends nothing of the agent's request to the server", async () => {
  const { give, removed, upstreams } = start();
  const ending = await give({ method: "resources/unsubscribe", name: "note://all", trace: { traceparent: "SECRET" } });
  assert.deepEqual(ending.outcome, { kind: "result", result: {} });
  assert.deepEqual([ending.decision, ending.sent, removed, upstreams.sent], ["allow", false, ["note://all"], []]);
  const unknown = await give({ method: "resources/unsubscribe", name: "note://none" });
  assert.deepEqual([unknown.outcome, unknown.target, removed.length], [{ kind: "result", result: {} }, null, 1]);
});
