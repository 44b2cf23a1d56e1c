import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { ask, alice, call, post, rpc, start } from "../../testing/ask.ts";
import { messages, type Sent } from "../../testing/event-stream.ts";
import type { Peer } from "../../peer.ts";
import type { WebEndpoint } from "../../testing/web-endpoint.ts";
import type { Outcome } from "../../protocol/outcome.ts";
import { ReplyStream } from "../reply-stream.ts";
import { PendingQuestions } from "./pending-questions.ts";

const STREAMS = { accept: "application/json, text/event-stream" };
const QUESTION = { method: "elicitation/create", params: { message: "name?" } } as const;
const RESULT: JsonObject = { content: [] };
const OK: Outcome = { kind: "result", result: RESULT };

/** A session whose agent can be asked. */
async function session(endpoint: WebEndpoint): Promise<Record<string, string>> {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: { elicitation: {} },
    clientInfo: { name: "agent", version: "1" },
  };
  const { headers } = await ask(endpoint, post(rpc("initialize", params)));
  return { ...STREAMS, "mcp-session-id": headers.get("mcp-session-id") ?? "" };
}

const put = (peer: Peer, until?: AbortSignal): Promise<JsonObject> => peer.ask(QUESTION.method, QUESTION.params, until);

/** The next message, which is the cancellation of that question. */
async function assertWithdrawn(stream: AsyncGenerator<Sent>, question: Sent | undefined): Promise<void> {
  const { value } = (await stream.next()) as { value: Sent | undefined };
  assert.deepEqual([value?.method, value?.params], ["notifications/cancelled", { requestId: question?.id }]);
}

test("a question ends with the request it belongs to: the agent is told before the result, and its place is free", async () => {
  const { gateway, endpoint } = start();
  const headers = await session(endpoint);
  const left: Promise<JsonObject>[] = [];
  gateway.reply = (_call, _session, _signal, peer) => {
    left.push(put(peer));
    return OK;
  };
  // More requests than questions one agent may have open.
  for (let request = 0; request < 40; request += 1) {
    const stream = messages(await endpoint(post(call({}, request), headers), alice));
    const question = (await stream.next()).value;
    assert.equal(question?.method, QUESTION.method);
    await assertWithdrawn(stream, question);
    assert.deepEqual((await stream.next()).value?.result, RESULT);
    await assert.rejects(Promise.all(left.splice(0)), { code: "REQUEST_CANCELLED" });
  }
});

test("a question of one request is open for as long as that runs, whatever ends beside it", async () => {
  const { gateway, endpoint } = start();
  const headers = await session(endpoint);
  gateway.reply = async ({ requestId }, _session, _signal, peer) => ({
    kind: "result",
    result: requestId === 1 ? await put(peer) : {},
  });
  const stream = messages(await endpoint(post(call({}, 1), headers), alice));
  const question = (await stream.next()).value;
  assert.equal((await ask(endpoint, post(call({}, 2), headers))).status, 200);
  await endpoint(post({ jsonrpc: "2.0", id: question?.id, result: { action: "accept" } }, headers), alice);
  assert.deepEqual((await stream.next()).value?.result, { action: "accept" });
});

test("an agent that cancels its request is told that what it was asked for it is void", async () => {
  const { gateway, endpoint } = start();
  const headers = await session(endpoint);
  gateway.reply = async (_call, _session, _signal, peer) => {
    await assert.rejects(put(peer), { code: "REQUEST_CANCELLED" });
    await assert.rejects(put(peer), { code: "REQUEST_CANCELLED" }, "nothing is asked for a request that is cancelled");
    return OK;
  };
  const stream = messages(await endpoint(post(call({}, 1), headers), alice));
  const question = (await stream.next()).value;
  await endpoint(post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } }, headers), alice);
  await assertWithdrawn(stream, question);
  assert.equal((await stream.next()).value?.id, 1);
});

test("a question that is void before its request ends is withdrawn, and the request goes on", async () => {
  const { gateway, endpoint } = start();
  const headers = await session(endpoint);
  const asked = Promise.withResolvers<void>();
  gateway.reply = async (_call, _session, _signal, peer) => {
    const until = new AbortController();
    void asked.promise.then(() => until.abort());
    await assert.rejects(put(peer, until.signal), { code: "REQUEST_CANCELLED" });
    return { kind: "result", result: await put(peer) };
  };
  const stream = messages(await endpoint(post(call({}, 1), headers), alice));
  const first = (await stream.next()).value;
  asked.resolve();
  await assertWithdrawn(stream, first);
  const second = (await stream.next()).value;
  // What comes late for the first changes nothing.
  for (const question of [first, second])
    await endpoint(
      post({ jsonrpc: "2.0", id: question?.id, result: { to: question === first ? 1 : 2 } }, headers),
      alice,
    );
  assert.deepEqual((await stream.next()).value?.result, { to: 2 });
});

/** The events of a stream, as texts. */
async function* events(stream: ReplyStream): AsyncGenerator<string> {
  const { body } = await stream.response;
  assert.ok(body !== null && typeof body !== "string");
  for await (const event of body) yield Buffer.from(event).toString();
}

test("an agent is not asked in a way it did not declare, whoever asks", async () => {
  const { gateway, endpoint } = start();
  const headers = await session(endpoint);
  gateway.reply = async (_call, _session, _signal, peer) => {
    await assert.rejects(peer.ask(QUESTION.method, { mode: "url", url: "https://tools.example/" }), {
      code: "UPSTREAM_CALL_REFUSED",
      rpcCode: -32602,
    });
    await assert.rejects(peer.ask("roots/list", {}), { code: "UPSTREAM_CALL_REFUSED", rpcCode: -32601 });
    return OK;
  };
  const response = await endpoint(post(call(), headers), alice);
  assert.equal(response.headers.get("content-type"), "application/json", "nothing was put to it");
});

test("an agent that does not answer in ten minutes is told that nobody waits any more", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const stream = new ReplyStream(() => undefined);
  const refused = assert.rejects(new PendingQuestions().ask(stream, QUESTION.method, QUESTION.params, []), {
    code: "UPSTREAM_TIMEOUT",
  });
  t.mock.timers.tick(600_000);
  await refused;
  const sent = events(stream);
  await sent.next();
  assert.match(String((await sent.next()).value), /notifications\/cancelled/);
  await sent.return(undefined);
});

test("a question that was just answered is not withdrawn", async () => {
  const asked = new PendingQuestions();
  const stream = new ReplyStream(() => undefined);
  const answered = asked.ask(stream, QUESTION.method, QUESTION.params, []);
  const sent = events(stream);
  const [, id = ""] = /"id":"([^"]+)"/.exec(String((await sent.next()).value)) ?? [];
  asked.takeAnswer({ kind: "result", id, result: { action: "accept" } });
  asked.end(stream);
  stream.close();
  assert.deepEqual([await answered, (await sent.next()).done], [{ action: "accept" }, true]);
});
