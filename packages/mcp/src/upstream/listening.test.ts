import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../peer.ts";
import { changesOnly, keepListening } from "./listening.ts";
import {
  EVENT_STREAM,
  chunk,
  http,
  json,
  reply,
  type Handshake,
  type Script,
  type ScriptedRequest,
  type ScriptedServer,
} from "../testing/scripted-server.ts";
import { start as startScripted } from "../testing/upstream.ts";

/** Longest that a test waits for what never comes, in milliseconds. */
const PATIENCE = { timeout: 30_000 };
/** After which a stream that is to be opened again has been, in milliseconds. */
const LONGER_THAN_A_WAIT_MS = 2_500;
const FILTER = {
  toolsListChanged: true,
  promptsListChanged: false,
  resourcesListChanged: false,
  resourceSubscriptions: null,
};
const MODERN: Handshake = {
  discover: (request) =>
    json(reply(request, { supportedVersions: ["2026-07-28"], capabilities: {}, ttlMs: 0, cacheScope: "private" })),
};
const listens = ({ method, message }: ScriptedRequest): boolean =>
  method === "GET" || message.method === "subscriptions/listen";
const failure = ({ message }: ScriptedRequest, code: number): string =>
  JSON.stringify({ jsonrpc: "2.0", id: message.id ?? null, error: { code, message: "no" } });
const failed = (status: number, code: number) => (request: ScriptedRequest) =>
  http(status, { "content-type": "application/json" }, failure(request, code));
const failedOnStream = (code: number) => (request: ScriptedRequest) =>
  `${EVENT_STREAM}${chunk(`data: ${failure(request, code)}\n\n`)}0\r\n\r\n`;

const declaring = (capabilities: JsonObject, signal: AbortSignal): Peer => ({ ...silentPeer(signal), capabilities });

/** Listens to a server that answers so, until the test is over; `over` resolves where it was given up before. */
async function listen(
  t: TestContext,
  handshake: Handshake,
  script: Script,
): Promise<{ readonly server: ScriptedServer; readonly over: Promise<void> }> {
  const { client, server } = await startScripted(t, script, {}, handshake);
  const stop = new AbortController();
  t.after(() => stop.abort());
  return { server, over: client.listen("s", FILTER, () => undefined, stop.signal) };
}

/** The second time that a server is asked for a stream. */
async function again(server: ScriptedServer): Promise<void> {
  const seen = new Set<ScriptedRequest>();
  for (let count = 0; count < 2; count += 1)
    seen.add(await server.arrival((request) => listens(request) && !seen.has(request)));
}

for (const [era, handshake, name, answer] of [
  ["modern", MODERN, "HTTP 503", () => http(503, {}, "")],
  ["modern", MODERN, "HTTP 400", failed(400, -32602)],
  ["modern", MODERN, "an error", failedOnStream(-32603)],
  ["legacy", {}, "HTTP 503", () => http(503, {}, "")],
] as const) {
  test(`a ${era} server that answers ${name} now is asked for its stream again`, PATIENCE, async (t) => {
    const { server } = await listen(t, handshake, (request, socket) => void socket.write(answer(request)));
    await again(server);
  });
}

for (const [era, handshake, name, answer] of [
  ["modern", MODERN, "HTTP 404", () => http(404, {}, "")],
  ["modern", MODERN, "HTTP 405", () => http(405, {}, "")],
  ["modern", MODERN, "HTTP 400 and that it knows no such method", failed(400, -32601)],
  ["modern", MODERN, "that it knows no such method", failedOnStream(-32601)],
  ["legacy", {}, "HTTP 405", () => http(405, {}, "")],
  ["legacy", {}, "HTTP 501", () => http(501, {}, "")],
] as const) {
  test(`a ${era} server that answers ${name} has no stream, and is not asked again`, PATIENCE, async (t) => {
    const { server, over } = await listen(t, handshake, (request, socket) => void socket.write(answer(request)));
    // A modern one is given up; of a legacy one there are the streams of answers to hear.
    await (era === "modern" ? over : sleep(LONGER_THAN_A_WAIT_MS));
    assert.equal(server.requests.filter(listens).length, 1);
  });
}

test("HTTP 400 to the stream of a session that the server still knows says that it has none", PATIENCE, async (t) => {
  const { server } = await listen(
    t,
    {},
    (request, socket) => void socket.write(request.method === "GET" ? http(400, {}, "") : json(reply(request, {}))),
  );
  await sleep(LONGER_THAN_A_WAIT_MS);
  assert.deepEqual(server.requests.map(({ method, message }) => message.method ?? method).slice(-3), [
    "notifications/initialized",
    "GET",
    "ping",
  ]);
});

test(
  "a server that does not know ping either, and says so in a session that it knows, has no stream",
  PATIENCE,
  async (t) => {
    const { server } = await listen(
      t,
      {},
      (request, socket) =>
        void socket.write(request.method === "GET" ? http(400, {}, "") : failed(200, -32601)(request)),
    );
    await sleep(LONGER_THAN_A_WAIT_MS);
    assert.deepEqual(server.requests.map(({ method, message }) => message.method ?? method).slice(-3), [
      "notifications/initialized",
      "GET",
      "ping",
    ]);
  },
);

for (const status of [400, 404]) {
  test(
    `a session that the server has lost (HTTP ${status}) is opened anew to be listened to, and told what its caller can be asked for`,
    PATIENCE,
    async (t) => {
      const capabilities: JsonObject = { elicitation: {} };
      let lost = false;
      const { client, server } = await startScripted(t, (request, socket) => {
        if (lost && request.headers.get("mcp-session-id") === "session-1") socket.write(http(status, {}, ""));
        else if (request.method === "GET") socket.write(EVENT_STREAM);
        else socket.write(json(reply(request, { content: [] })));
      });
      const stop = new AbortController();
      t.after(() => stop.abort());
      await client.request(
        "s",
        { method: "tools/call", params: { name: "t", arguments: {} } },
        declaring(capabilities, stop.signal),
      );
      lost = true;
      void client.listen("s", FILTER, () => undefined, stop.signal);
      await server.arrival(({ method, headers }) => method === "GET" && headers.get("mcp-session-id") === "session-2");
      const opened = server.requests
        .filter(({ message }) => message.method === "initialize")
        .map(({ message }) => (message.params as JsonObject).capabilities);
      assert.deepEqual(opened, [capabilities, capabilities]);
    },
  );
}

test("a session that was closed is told anew what its caller can be asked for", async (t) => {
  const { client, server } = await startScripted(
    t,
    (request, socket) => void socket.write(json(reply(request, { content: [] }))),
  );
  const signal = AbortSignal.timeout(30_000);
  const call = { method: "tools/call", params: { name: "t", arguments: {} } };
  for (const capabilities of [{ elicitation: {} }, { roots: {} }]) {
    await client.request("s", call, declaring(capabilities, signal));
    await client.closeSession("s");
  }
  const opened = server.requests
    .filter(({ message }) => message.method === "initialize")
    .map(({ message }) => (message.params as JsonObject).capabilities);
  assert.deepEqual(opened, [{ elicitation: {} }, { roots: {} }]);
});

/** When a stream whose server wants this is opened, until it was `times`, in milliseconds. */
async function opened(t: TestContext, retryMs: number, times: number, ms: number): Promise<readonly number[]> {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const at: number[] = [];
  await Promise.race([
    sleep(ms, undefined, { signal: stop.signal }),
    keepListening(async (position) => {
      at.push(performance.now());
      position.retryMs = retryMs;
      return at.length < times;
    }, stop.signal),
  ]);
  stop.abort();
  return at;
}

test("a stream is opened again no sooner than its server wants", async (t) => {
  const [first = 0, second = 0] = await opened(t, 2_600, 2, 60_000);
  assert.ok(second - first >= 2_599, `${second - first}`);
});

test("one that its server wants opened in a thousand years is not opened at once", async (t) => {
  assert.equal((await opened(t, 2 ** 45, 2, 300)).length, 1);
});

test("what a server says of changes is rebuilt, and what says nothing of changes is dropped", () => {
  const heard: unknown[] = [];
  const notified = changesOnly((method, params) => void heard.push([method, params]));
  const more = { uri: "a:1", title: "secret", _meta: { note: "secret" } };
  notified("notifications/tools/list_changed", more);
  notified("notifications/subscriptions/acknowledged", more);
  notified("notifications/resources/updated", more);
  notified("notifications/resources/updated", { uri: { of: "secret" } });
  for (const method of ["notifications/message", "notifications/progress", "notifications/new"]) notified(method, more);
  assert.deepEqual(heard, [
    ["notifications/tools/list_changed", {}],
    ["notifications/subscriptions/acknowledged", {}],
    ["notifications/resources/updated", { uri: "a:1" }],
  ]);
});

for (const [era, handshake] of [
  ["modern", MODERN],
  ["legacy", {}],
] as const) {
  test(`who listens to a ${era} server hears nothing of it but that something changed`, PATIENCE, async (t) => {
    const { client } = await startScripted(
      t,
      (request, socket) => {
        const about = { "io.modelcontextprotocol/subscriptionId": request.message.id ?? null, note: "secret" };
        if (!listens(request)) return void socket.write(json(reply(request, {})));
        const params = { note: "secret", _meta: about };
        const said = { jsonrpc: "2.0", method: "notifications/tools/list_changed", params };
        socket.write(EVENT_STREAM + chunk(`data: ${JSON.stringify(said)}\n\n`));
      },
      {},
      handshake,
    );
    const stop = new AbortController();
    t.after(() => stop.abort());
    const heard = await new Promise((resolve) => {
      void client.listen("s", FILTER, (method, params) => resolve([method, params]), stop.signal);
    });
    assert.deepEqual(heard, ["notifications/tools/list_changed", {}]);
  });
}
