import assert from "node:assert/strict";
import { test } from "node:test";
import { silentPeer, type AgentRequest, type Peer, type RpcBody } from "@cmcp/mcp";
import { Admission } from "../access/admission.ts";
import { agentPeer, requestFor, rulesStub, sessionOf } from "../testing/calls.ts";
import { callerOf } from "../testing/record-room.ts";
import { CallRunner } from "./call-runner.ts";
import type { WhileWaiting } from "./wait-deferred.ts";

const caller = callerOf("alice");
const DONE: RpcBody = { result: {} };
const { signal } = new AbortController();

/** Calls over a line that a test runs, where so many run at a time. */
function start(
  run: (request: AgentRequest, peer: Peer, whileWaiting: WhileWaiting) => Promise<RpcBody>,
  maxRunning = 1,
) {
  const admission = new Admission({ maxRunning });
  const handed: string[] = [];
  const guarded: string[] = [];
  const calls = new CallRunner({
    line: {
      run: async ({ request }, peer, whileWaiting) => await run(request, peer, whileWaiting),
    },
    once: {
      run: async ({ request: { name } }, _peer, work) => {
        guarded.push(name);
        return await work(null);
      },
    },
    admission,
    rules: () => rulesStub(),
    subscriptions: { assignToStream: (_session, { uri }) => void handed.push(uri) },
    sessions: { currentOf: () => undefined },
  });
  const recorded = sessionOf();
  const call = async (rest: Partial<AgentRequest> = {}, peer: Peer = silentPeer(signal)) =>
    await calls.run({ recorded, caller, request: requestFor(rest) }, peer);
  return { calls, admission, recorded, call, handed, guarded };
}

test("a call runs when it is its principal's turn, and in its session", async () => {
  const held = Promise.withResolvers<RpcBody>();
  const ran: string[] = [];
  const { call, admission, recorded } = start(async ({ name }) => {
    ran.push(name);
    return await held.promise;
  });
  const both = [call({ name: "a" }), call({ name: "b" })];
  await new Promise(setImmediate);
  assert.deepEqual([ran, admission.waiting, recorded.session.inUse], [["a"], 1, 1]);
  held.resolve(DONE);
  assert.deepEqual(await Promise.all(both), [DONE, DONE]);
  assert.deepEqual([ran, admission.running, recorded.session.inUse], [["a", "b"], 0, 0]);
});

test("a call that waits for a later decision takes no slot of another's", async () => {
  const held = Promise.withResolvers<undefined>();
  const { call, admission } = start(async ({ name }, _peer, whileWaiting) => {
    if (name === "a") await whileWaiting(() => held.promise);
    return DONE;
  });
  const first = call({ name: "a" });
  await new Promise(setImmediate);
  assert.deepEqual([await call({ name: "b" }), admission.running], [DONE, 0]);
  held.resolve(undefined);
  assert.deepEqual(await first, DONE);
});

test("a cancellation runs at once", async () => {
  const held = Promise.withResolvers<RpcBody>();
  const { call, guarded } = start(async ({ method }) => (method === "tools/call" ? await held.promise : DONE));
  const running = call();
  for (const method of ["tasks/cancel", "resources/unsubscribe"] as const)
    assert.deepEqual(await call({ method }), DONE, method);
  assert.deepEqual(guarded, ["lookup"], "its key is not looked at: cancelling is always allowed");
  held.resolve(DONE);
  await running;
});

test("a call holds no slot while its agent is asked", async () => {
  const answer = Promise.withResolvers<object>();
  const { call, admission } = start(async ({ name }, peer) => {
    if (name === "asks") await peer.ask("roots/list", {});
    return DONE;
  });
  const { peer } = agentPeer({
    ask: async () => {
      await answer.promise;
      return {};
    },
  });
  const asking = call({ name: "asks" }, peer);
  assert.deepEqual(await call({ name: "other" }), DONE);
  assert.equal(admission.questions, 1);
  answer.resolve({});
  assert.deepEqual(await asking, DONE);
});

/** A session with one call under way, whose close has begun. */
async function closing(method: AgentRequest["method"]) {
  const held = Promise.withResolvers<RpcBody>();
  const { call, recorded } = start(async (_, peer) => {
    peer.signal.addEventListener("abort", () => held.resolve({ result: { aborted: true } }), { once: true });
    return await held.promise;
  });
  const running = call({ method });
  await new Promise(setImmediate);
  recorded.lifecycle.step("start");
  recorded.lifecycle.step("close");
  const quiet = recorded.abortCalls();
  await assert.rejects(call({ method }), { code: "SESSION_CLOSED" });
  return { running, quiet, held };
}

test("closing a session aborts a running call and refuses new ones", async () => {
  const { running, quiet } = await closing("tools/call");
  await quiet;
  assert.deepEqual(await running, { result: { aborted: true } });
});

test("closing a session lets a running cancellation finish", async () => {
  const { running, quiet, held } = await closing("tasks/cancel");
  held.resolve(DONE);
  await quiet;
  assert.deepEqual(await running, DONE);
});

test("a stream subscribes to the resources that policy allows, each decided by itself", async () => {
  const asked: string[] = [];
  const { calls, recorded, handed } = start(async ({ method, name }) => {
    asked.push(`${method} ${name}`);
    return name.endsWith("2") ? { error: { code: -1, message: "no" }, status: 403 } : DONE;
  });
  const uris = ["note://all", "note://by-id/2", "note://none"];
  const followed = await calls.subscribe({ recorded, caller, uris }, signal);
  assert.deepEqual(
    asked,
    uris.map((uri) => `resources/subscribe ${uri}`),
  );
  assert.deepEqual([followed, handed], [["note://all"], ["note://all"]]);
});
