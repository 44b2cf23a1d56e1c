import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { FINISH_MS, StdioBridge } from "./stdio-bridge.ts";

interface Sent {
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** A bridge over a gateway that answers as `answer` says, and what went either way. */
function bridge(
  answer: (sent: Sent) => Response | Promise<Response>,
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<unknown> = async (milliseconds, signal) =>
    await setTimeout(milliseconds, undefined, { signal }),
) {
  const [sent, written]: [Sent[], unknown[]] = [[], []];
  const made = new StdioBridge({
    connection: {
      fetch: async (input, init) => {
        const request = new Request(input, init);
        const one = {
          method: request.method,
          headers: request.headers,
          body: await request.text(),
          signal: request.signal,
        };
        sent.push(one);
        return await answer(one);
      },
    },
    endpoint: new URL("https://gateway.example/mcp"),
    token: "a-token",
    write: (line) => void written.push(JSON.parse(line)),
    sleep,
  });
  return { made, sent, written };
}

async function* lines(...all: readonly (object | string)[]): AsyncGenerator<string, void, void> {
  for (const one of all) {
    yield typeof one === "string" ? one : JSON.stringify(one);
    await setTimeout(20);
  }
}

const EVENTS = { headers: { "content-type": "text/event-stream" } };
const rpc = (id: number, method: string, params: object = {}): object => ({ jsonrpc: "2.0", id, method, params });

test("a session's id and version are on what follows, its own stream is opened, and it is ended at the end", async () => {
  const { made, sent, written } = bridge(({ method, body }) => {
    if (method === "GET") return new Response('data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n', EVENTS);
    if (method === "DELETE") return new Response(null, { status: 204 });
    const { id, method: asked } = JSON.parse(body) as { id?: number; method: string };
    if (id === undefined) return new Response(null, { status: 202 });
    const result = asked === "initialize" ? { protocolVersion: "2025-11-25" } : {};
    return Response.json({ jsonrpc: "2.0", id, result }, { headers: { "mcp-session-id": "the-session" } });
  });
  await made.run(lines(rpc(1, "initialize"), { jsonrpc: "2.0", method: "notifications/initialized" }, rpc(2, "ping")));
  assert.deepEqual(
    sent.map(({ method, headers }) => [method, headers.get("mcp-session-id"), headers.get("mcp-protocol-version")]),
    [
      ["POST", null, null],
      ["POST", "the-session", "2025-11-25"],
      ["GET", "the-session", "2025-11-25"],
      ["POST", "the-session", "2025-11-25"],
      ["DELETE", "the-session", "2025-11-25"],
    ],
  );
  assert.ok(sent.every(({ headers }) => headers.get("authorization") === "Bearer a-token"));
  assert.deepEqual(written, [
    { jsonrpc: "2.0", id: 1, result: { protocolVersion: "2025-11-25" } },
    { jsonrpc: "2.0", method: "notifications/x" },
    { jsonrpc: "2.0", id: 2, result: {} },
  ]);
});

test("a message of the stateless era carries its own fields, and its cancellation leaves the answer", async () => {
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
  // As with fetch, a request that is aborted ends its answer.
  const endless = (signal: AbortSignal): ReadableStream =>
    new ReadableStream({
      start: (stream) => {
        stream.enqueue(Buffer.from("data: {}\n\n"));
        signal.addEventListener("abort", () => stream.error(new Error("aborted")), { once: true });
      },
    });
  const { made, sent, written } = bridge(({ body, signal }) =>
    body.includes("cancelled") ? new Response(null, { status: 202 }) : new Response(endless(signal), EVENTS),
  );
  await made.run(
    lines(rpc(7, "tools/call", { name: "naïve", _meta }), {
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: 7, _meta },
    }),
  );
  const [call] = sent;
  assert.deepEqual(
    ["mcp-protocol-version", "mcp-method", "mcp-name"].map((name) => call?.headers.get(name)),
    ["2026-07-28", "tools/call", "=?base64?bmHDr3Zl?="],
  );
  assert.deepEqual(written, [{}], "what had come before it was handed on, and nothing says that it failed");
});

/** A pause that ends only when it is left. */
async function untilLeft(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

test("what runs when the input ends is answered, and the session ends behind it", async () => {
  const waitedFor = Promise.withResolvers<void>();
  const { made, sent, written } = bridge(
    async (one) => {
      if (one.method !== "POST") return new Response(null, { status: one.method === "GET" ? 405 : 204 });
      const { id, method: asked } = JSON.parse(one.body) as { id?: number; method: string };
      if (id === undefined) return new Response(null, { status: 202 });
      if (asked === "ping") await Promise.race([waitedFor.promise, untilLeft(one.signal)]);
      return Response.json({ jsonrpc: "2.0", id, result: { asked } }, { headers: { "mcp-session-id": "s" } });
    },
    async (milliseconds, signal) => {
      assert.equal(milliseconds, FINISH_MS);
      waitedFor.resolve();
      await untilLeft(signal);
    },
  );
  await made.run(lines(rpc(1, "initialize"), rpc(2, "ping")));
  assert.deepEqual(written.at(-1), { jsonrpc: "2.0", id: 2, result: { asked: "ping" } });
  assert.deepEqual(
    sent.map(({ method }) => method),
    ["POST", "POST", "DELETE"],
  );
});

test("what does not end is waited for so long and no longer, and is said to be unknown; a stream of changes is left at once", async () => {
  const slept: number[] = [];
  const { made, written } = bridge(
    ({ signal }) => untilLeft(signal),
    async (milliseconds, signal) => {
      slept.push(milliseconds);
      await setTimeout(1, undefined, { signal });
    },
  );
  await made.run(lines(rpc(1, "tools/call")));
  assert.deepEqual(slept, [FINISH_MS]);
  const [{ id, error }] = written as [{ id: number; error: { data: { error_code: string } } }];
  assert.deepEqual([id, error.data.error_code, written.length], [1, "SEAL_OUTCOME_UNKNOWN", 1]);
  const listening = bridge(
    ({ signal }) => untilLeft(signal),
    async (_, signal) => await untilLeft(signal),
  );
  await listening.made.run(lines(rpc(1, "subscriptions/listen")));
  assert.deepEqual(listening.written, []);
});

test("what is no JSON, and what the enclave did not answer, are errors to the client", async () => {
  const { made, written } = bridge(({ body }) => {
    if (body.includes("lost")) throw new CmcpError("SEAL_OUTCOME_UNKNOWN", "the host answered");
    return new Response("{}", { status: 401 });
  });
  await made.run(lines("not json", "", rpc(1, "lost"), rpc(2, "refused"), { jsonrpc: "2.0", method: "lost" }));
  const errors = written as { id: unknown; error: { code: number; data?: { error_code: string } } }[];
  assert.deepEqual(
    errors.map(({ id, error }) => [id, error.code, error.data?.error_code]),
    [
      [null, -32700, undefined],
      [1, -32000, "SEAL_OUTCOME_UNKNOWN"],
      [2, -32000, "GATEWAY_ANSWER_INVALID"],
    ],
  );
});
