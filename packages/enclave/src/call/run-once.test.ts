/** One call for one key, whoever repeats it and when: a real line on a real record. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { RECEIPT_META_KEY, receiptSchema, type CallKey } from "@cmcp/audit";
import { CmcpError, formatIdempotencyKey, readIdempotencyKey } from "@cmcp/boundary";
import { silentPeer, type AgentRequest, type Peer, type RpcBody } from "@cmcp/mcp";
import { KeyedCalls } from "../record/keyed-calls.ts";
import { requestFor } from "../testing/calls.ts";
import { start as startLine, type Scene } from "../testing/pipeline-scene.ts";
import { callerOf, ORIGIN } from "../testing/record-room.ts";
import { HeldAnswers } from "./held-answers.ts";
import { CALL_META_KEY, RunOnce } from "./run-once.ts";

const { signal } = new AbortController();

async function start(scene: Scene = {}) {
  const line = await startLine(scene);
  const { journal } = line.room;
  const held = new HeldAnswers();
  const keyed = new KeyedCalls({
    journal,
    believedFrom: () => 0,
    origin: ORIGIN,
    used: journal.state.keys,
    firstSize: 0,
  });
  const once = new RunOnce({ keyed, held, turns: { next: async () => undefined } });
  const key = readIdempotencyKey(formatIdempotencyKey(journal.size, randomBytes(32)));
  const ask = async (rest: Partial<AgentRequest> = {}, peer: Peer = silentPeer(signal)): Promise<RpcBody> => {
    const request = requestFor({ idempotencyKey: key, ...rest });
    const incoming = { recorded: line.recorded, caller: callerOf("alice"), request };
    return await once.run(incoming, peer, async (call) => await line.runKeyed(request, call, peer));
  };
  return { ...line, ask, held, keyed, key };
}

const idOf = (body: RpcBody): unknown =>
  "result" in body
    ? receiptSchema.parse((body.result._meta as Record<string, unknown>)[RECEIPT_META_KEY]).call_id
    : null;

test("requests with one key at one time make one call, and the others hear that it runs", async () => {
  const answer = Promise.withResolvers<{ kind: "complete"; result: object }>();
  const { ask, atSend, entries } = await start({ answer: async () => (await answer.promise) as never });
  const first = ask();
  for (let again = 0; again < 3; again += 1) {
    await assert.rejects(ask({ requestId: again }), { code: "IDEMPOTENCY_RUNNING" });
    await new Promise(setImmediate);
  }
  await assert.rejects(ask({ arguments: { q: "other" } }), { code: "IDEMPOTENCY_CONFLICT" });
  answer.resolve({ kind: "complete", result: { content: [] } });
  const body = await first;
  assert.deepEqual(await ask({ requestId: 9, trace: { traceparent: "t" } }), body, "the answer is given again");
  assert.deepEqual([atSend.length, entries().length], [1, 1]);
});

test("what is not held is answered with outcome and receipt, and is not run again", async () => {
  const { ask, held, recorded, atSend } = await start();
  const body = await ask();
  held.forget(recorded.session);
  const again = await ask();
  assert.ok("error" in again);
  const data = again.error.data ?? {};
  assert.equal(data["error_code"], "IDEMPOTENCY_ENDED");
  const { receipt, ...call } = data[CALL_META_KEY] as Record<string, unknown>;
  assert.equal(receiptSchema.parse(receipt).call_id, idOf(body));
  assert.deepEqual(call, {
    state: "ended",
    call_id: idOf(body),
    session_id: recorded.id,
    decision: "allow",
    outcome: "delivered",
    error_code: null,
  });
  assert.equal(data["receipt"], undefined, "this answer has none of its own");
  assert.equal(atSend.length, 1);
});

test("intent and entry name the key by its digest, and neither the key nor the request can be read from them", async () => {
  const { ask, intents, entries, key } = await start();
  await ask({ arguments: { q: "the-argument" } });
  const [intent] = intents();
  const [entry] = entries();
  assert.match(String(intent?.idempotency_key), /^[0-9a-f]{64}$/);
  assert.equal(entry?.detail?.["idempotency_key"], intent?.idempotency_key);
  assert.equal(entry?.detail?.["idempotency_request"], intent?.idempotency_request);
  const text = JSON.stringify([intent, entry]);
  assert.ok(!text.includes(key?.text ?? "?") && !text.includes("the-argument"));
});

test("a call that is refused has its key too, and one that never began gives it back", async () => {
  const { ask, atSend, keyed, key, held, recorded } = await start();
  const denied = await ask({ name: "unknown" });
  assert.ok("error" in denied);
  held.forget(recorded.session);
  const again = await ask({ name: "unknown" });
  assert.ok("error" in again && again.error.data?.["error_code"] === "IDEMPOTENCY_ENDED");
  assert.equal(atSend.length, 0);
  const other = readIdempotencyKey(formatIdempotencyKey(key?.logSize ?? 0, randomBytes(16)));
  const request = requestFor({ idempotencyKey: other });
  const once = new RunOnce({ keyed, held, turns: { next: async () => undefined } });
  const incoming = { recorded, caller: callerOf("alice"), request };
  const full = async (): Promise<never> => {
    throw new CmcpError("OVERLOADED", "no room");
  };
  await assert.rejects(once.run(incoming, silentPeer(signal), full), { code: "OVERLOADED" });
  const ran: (CallKey | null)[] = [];
  await once.run(incoming, silentPeer(signal), async (call) => {
    ran.push(call);
    return { result: {} };
  });
  assert.equal(ran.length, 1);
});

test("a request without a key runs every time", async () => {
  const { ask, atSend, intents } = await start();
  await ask({ idempotencyKey: null });
  await ask({ idempotencyKey: null });
  assert.deepEqual([atSend.length, intents()[0]?.idempotency_key], [2, undefined]);
});
