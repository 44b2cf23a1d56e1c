/** What the endpoint holds of requests and answers is counted, refused beyond its bound, and given back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { BufferedBytes, type BufferShare } from "@cmcp/boundary";
import type { HttpRequest } from "../index.ts";
import { TestGateway } from "../testing/gateway.ts";
import { ReplyStream } from "./reply-stream.ts";
import { webEndpoint, type WebEndpoint } from "../testing/web-endpoint.ts";

const alice = { principalId: "alice" };
const CALL = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "tool", _meta: { progressToken: "p" } },
});

function start(): { gateway: TestGateway; endpoint: WebEndpoint } {
  const gateway = new TestGateway();
  return { gateway, endpoint: webEndpoint(gateway) };
}

function post(body: AsyncIterable<Uint8Array>, buffered: BufferShare): HttpRequest {
  const headers = new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" });
  return { method: "POST", url: "http://gateway/mcp", headers, body, signal: new AbortController().signal, buffered };
}

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function turns(): Promise<void> {
  for (let n = 0; n < 20; n += 1) await turn();
}

test("a body counts while it comes and while its request runs", async () => {
  const { gateway, endpoint } = start();
  const buffered = new BufferedBytes();
  const more = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  gateway.reply = async () => {
    await go.promise;
    return { kind: "result", result: {} };
  };
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(CALL.slice(0, 20));
    await more.promise;
    yield Buffer.from(CALL.slice(20));
  }
  const answered = endpoint(post(slow(), buffered.share("alice")), alice);
  await turns();
  assert.equal(buffered.held, 20);
  more.resolve();
  await turns();
  assert.equal(buffered.held, CALL.length);
  go.resolve();
  assert.equal((await answered).status, 200);
  assert.equal(buffered.held, 0);
});

test("a body beyond the bound is refused as OVERLOADED and read no further", async () => {
  const { gateway, endpoint } = start();
  const buffered = new BufferedBytes(2 * CALL.length - 2);
  const share = buffered.share("alice");
  const response = await endpoint(post(pieces(CALL.slice(0, 20), CALL.slice(20), "never read"), share), alice);
  const { error } = (await response.json()) as { error: { code: number; data: { error_code: string } } };
  assert.deepEqual([response.status, error.code, error.data.error_code], [503, -32000, "OVERLOADED"]);
  assert.equal(gateway.calls.length, 0);
  share.free();
  assert.equal(buffered.held, 0);
});

test("events count until the agent has read them, those it never reads until it leaves", async () => {
  for (const leaves of [false, true]) {
    const { gateway, endpoint } = start();
    const buffered = new BufferedBytes();
    gateway.reply = async (_call, _session, _signal, peer) => {
      for (let n = 0; n < 5; n += 1) await peer.notify("notifications/message", { data: "x".repeat(1_000) });
      return { kind: "result", result: { content: [] } };
    };
    const { body } = await endpoint(post(pieces(CALL), buffered.share("alice")), alice);
    assert.ok(body !== null);
    await turns();
    const waiting = buffered.held;
    assert.ok(waiting > 5_000 && waiting < 7_000, String(waiting));
    const reader = body.getReader();
    const { value } = await reader.read();
    assert.equal(buffered.held, waiting, "what is being written out is still held");
    await reader.read();
    assert.equal(buffered.held, waiting - (value?.byteLength ?? 0));
    if (leaves) await reader.cancel();
    else while (!(await reader.read()).done);
    assert.equal(buffered.held, 0);
  }
});

test("a refused tool call finds room where a result finds none: it is short, and says how it stands", async () => {
  const buffered = new BufferedBytes(4_000);
  const stream = new ReplyStream(() => undefined, buffered.share("alice"));
  stream.open();
  buffered.share("alice").take(2_000);
  const body = { result: { isError: true, content: [] } };
  assert.throws(() => stream.finish(1, { result: { text: "x".repeat(2_000) } }), { code: "OVERLOADED" });
  stream.refuse(1, body);
  const response = await stream.response;
  assert.ok(response.body !== null && typeof response.body !== "string");
  const events = [];
  for await (const event of response.body) events.push(Buffer.from(event).toString());
  assert.deepEqual(events, [`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", id: 1, ...body })}\n\n`]);
});

test("a result there is no room for becomes a refusal, as the stream's last event", async () => {
  const { gateway, endpoint } = start();
  const buffered = new BufferedBytes(4_000);
  gateway.reply = async (_call, _session, _signal, peer) => {
    await peer.notify("notifications/message", { data: "short" });
    return { kind: "result", result: { content: [{ type: "text", text: "x".repeat(2_000) }] } };
  };
  const text = await (await endpoint(post(pieces(CALL), buffered.share("alice")), alice)).text();
  assert.match(text, /"error_code":"OVERLOADED"/);
  assert.doesNotMatch(text, /xxx/);
  assert.equal(buffered.held, 0);
});
