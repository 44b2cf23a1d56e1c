import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { messages, type Sent } from "../testing/event-stream.ts";
import { TestGateway } from "../testing/gateway.ts";
import { QUIET_MS } from "./reply-stream.ts";
import { modernRequest } from "../testing/modern-request.ts";
import { webEndpoint, type WebEndpoint } from "../testing/web-endpoint.ts";

const alice = { principalId: "alice" };
const BOTH = { accept: "application/json, text/event-stream" };

function start(): { gateway: TestGateway; endpoint: WebEndpoint } {
  const gateway = new TestGateway();
  return { gateway, endpoint: webEndpoint(gateway) };
}

function post(body: object, headers: Record<string, string> = {}): Request {
  return new Request("http://gateway/mcp", {
    method: "POST",
    headers: { "content-type": "application/json", ...BOTH, ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", ...body }),
  });
}

async function initialized(endpoint: WebEndpoint, capabilities: JsonObject = {}): Promise<Record<string, string>> {
  const params = { protocolVersion: "2025-11-25", capabilities, clientInfo: { name: "agent", version: "1" } };
  const { headers } = await endpoint(post({ id: 0, method: "initialize", params }), alice);
  return { "mcp-session-id": headers.get("mcp-session-id") ?? "", "mcp-protocol-version": "2025-11-25" };
}

async function all(response: Response): Promise<Sent[]> {
  const read: Sent[] = [];
  for await (const message of messages(response)) read.push(message);
  return read;
}

const withToken = { id: 1, method: "tools/call", params: { name: "tool", _meta: { progressToken: "p" } } };

for (const era of ["legacy", "modern"] as const) {
  const request = (endpoint: WebEndpoint): Promise<Response> =>
    endpoint(
      era === "legacy"
        ? post(withToken)
        : modernRequest("tools/call", { params: { name: "tool" }, meta: { progressToken: "p" }, headers: BOTH }),
      alice,
    );

  test(`${era}: what precedes the result reaches the agent before it, event by event`, async () => {
    const { gateway, endpoint } = start();
    const go = Promise.withResolvers<void>();
    gateway.reply = async (_call, _session, _signal, peer) => {
      assert.notEqual(peer.progressToken, null);
      await peer.notify("notifications/progress", { progress: 1 });
      await go.promise;
      await peer.notify("notifications/progress", { progress: 2 });
      return { kind: "result", result: { content: [] } };
    };
    const stream = messages(await request(endpoint));
    assert.deepEqual((await stream.next()).value, {
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progress: 1, progressToken: "p" },
    });
    go.resolve();
    assert.deepEqual((await stream.next()).value?.params, { progress: 2, progressToken: "p" });
    const last = (await stream.next()).value;
    assert.deepEqual([last?.id, last?.result?.content], [1, []]);
    assert.equal((await stream.next()).done, true);
  });

  test(`${era}: an answer that takes long becomes a stream, for an agent that takes one, and is kept from silence`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    const { gateway, endpoint } = start();
    const go = Promise.withResolvers<void>();
    const called = Promise.withResolvers<void>();
    gateway.reply = async () => {
      called.resolve();
      await go.promise;
      return { kind: "result", result: { content: [] } };
    };
    const answers: Response[] = [];
    void request(endpoint).then((answer) => answers.push(answer));
    await called.promise;
    t.mock.timers.tick(QUIET_MS - 1);
    await turn();
    assert.equal(answers.length, 0);
    t.mock.timers.tick(1);
    for (let turns = 0; turns < 100 && answers.length === 0; turns += 1) await turn();
    const { headers, body } = answers[0] ?? assert.fail("nothing was answered");
    assert.equal(headers.get("content-type"), "text/event-stream");
    const reader = body?.pipeThrough(new TextDecoderStream()).getReader() ?? assert.fail();
    t.mock.timers.tick(15_000);
    assert.equal((await reader.read()).value, ":\n\n");
    go.resolve();
    assert.match((await reader.read()).value ?? "", /"result":/);
    assert.equal((await reader.read()).done, true);
  });

  test(`${era}: an answer in time is no stream, nor is one to an agent that takes none`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    const { gateway, endpoint } = start();
    gateway.reply = async () => {
      if (gateway.calls.length > 1) t.mock.timers.tick(2 * QUIET_MS);
      return await Promise.resolve({ kind: "result", result: { content: [] } });
    };
    const json = { accept: "application/json" };
    const soon = await request(endpoint);
    assert.equal(soon.headers.get("content-type"), "application/json");
    const late = await endpoint(
      era === "legacy"
        ? post(withToken, json)
        : modernRequest("tools/call", { params: { name: "tool" }, headers: json }),
      alice,
    );
    assert.deepEqual(
      [late.status, late.headers.get("content-type"), gateway.calls.length],
      [200, "application/json", 2],
    );
  });

  test(`${era}: a refusal after events ends the stream as its last event`, async () => {
    const { gateway, endpoint } = start();
    gateway.reply = async (_call, _session, _signal, peer) => {
      await peer.notify("notifications/progress", { progress: 1 });
      return { kind: "error", code: "RESPONSE_UNPROJECTABLE", message: "withheld", data: {} };
    };
    const [, last] = await all(await request(endpoint));
    const meta = last?.result?._meta as JsonObject | undefined;
    assert.deepEqual(
      [last?.id, last?.error?.data.error_code, meta?.["cmcp.gateway/error"]],
      era === "legacy"
        ? [1, "RESPONSE_UNPROJECTABLE", undefined]
        : [1, undefined, { code: "RESPONSE_UNPROJECTABLE", advice: "give-up" }],
    );
  });

  test(`${era}: an agent that leaves in the middle cancels its request`, async () => {
    const { gateway, endpoint } = start();
    const cancelled = Promise.withResolvers<void>();
    gateway.reply = async (_call, _session, signal, peer) => {
      await peer.notify("notifications/progress", { progress: 1 });
      signal.addEventListener("abort", () => cancelled.resolve(), { once: true });
      await cancelled.promise;
      await assert.rejects(peer.notify("notifications/progress", { progress: 2 }), { code: "REQUEST_CANCELLED" });
      return { kind: "result", result: {} };
    };
    for await (const _ of messages(await request(endpoint))) break;
    await cancelled.promise;
  });

  test(`${era}: a sender waits for an agent that does not read`, async () => {
    const { gateway, endpoint } = start();
    let sent = 0;
    gateway.reply = async (_call, _session, _signal, peer) => {
      for (; sent < 500; sent += 1) await peer.notify("notifications/progress", { progress: sent });
      return { kind: "result", result: {} };
    };
    const response = await request(endpoint);
    for (let turns = 0; turns < 50; turns += 1) await turn();
    assert.ok(sent < 50, `${sent} events were taken with nobody reading`);
    assert.equal((await all(response)).length, 501);
  });
}

test("an agent that takes no event stream is told nothing and asked nothing", async () => {
  const { gateway, endpoint } = start();
  const session = await initialized(endpoint, { elicitation: {} });
  gateway.reply = (_call, _session, _signal, peer) => {
    assert.deepEqual([peer.progressToken, peer.wantsLog, peer.input, peer.capabilities], [null, false, "none", {}]);
    return { kind: "result", result: {} };
  };
  const response = await endpoint(post(withToken, { ...session, accept: "application/json" }), alice);
  assert.deepEqual([response.headers.get("content-type"), gateway.calls.length], ["application/json", 1]);
});

test("a server's question reaches the legacy agent on its request's stream, and its answer the server", async () => {
  const { gateway, endpoint } = start();
  const session = await initialized(endpoint, { elicitation: {}, sampling: {} });
  gateway.reply = async (_call, _session, _signal, peer) => {
    assert.deepEqual([peer.input, peer.capabilities], ["ask", { elicitation: {}, sampling: {} }]);
    const answer = await peer.ask("elicitation/create", { message: "name?" });
    await assert.rejects(peer.ask("sampling/createMessage", {}), { code: "UPSTREAM_CALL_REFUSED", rpcCode: -1 });
    return { kind: "result", result: answer };
  };
  const stream = messages(await endpoint(post(withToken, session), alice));
  const question = (await stream.next()).value;
  assert.deepEqual([question?.method, question?.params], ["elicitation/create", { message: "name?" }]);
  const other = await initialized(endpoint, { elicitation: {} });
  const answered = { id: question?.id ?? "", result: { action: "accept" } };
  // Neither another session nor a guessed id answers for this agent.
  for (const [message, headers] of [
    [answered, other],
    [{ ...answered, id: "1" }, session],
  ] as const)
    assert.equal((await endpoint(post(message, headers), alice)).status, 202);
  assert.equal((await endpoint(post(answered, session), alice)).status, 202);
  const second = (await stream.next()).value;
  assert.equal(
    (await endpoint(post({ id: second?.id, error: { code: -1, message: "no" } }, session), alice)).status,
    202,
  );
  assert.deepEqual((await stream.next()).value?.result, { action: "accept" });
});

test("what a modern server requires is passed on with its state, and what the agent sends again with it", async () => {
  const { gateway, endpoint } = start();
  gateway.reply = ({ input }) =>
    input === null
      ? { kind: "input", inputRequests: { name: { method: "elicitation/create" } }, requestState: "sealed" }
      : { kind: "result", result: { got: { ...input } } };
  const first = (await (
    await endpoint(modernRequest("tools/call", { params: { name: "tool" } }), alice)
  ).json()) as Sent;
  assert.deepEqual(
    [first.result?.resultType, first.result?.inputRequests, first.result?.requestState],
    ["input_required", { name: { method: "elicitation/create" } }, "sealed"],
  );
  const again = modernRequest("tools/call", {
    params: { name: "tool", inputResponses: { name: { action: "accept" } }, requestState: "sealed" },
  });
  const second = (await (await endpoint(again, alice)).json()) as Sent;
  assert.deepEqual(
    [second.result?.resultType, second.result?.got],
    ["complete", { responses: { name: { action: "accept" } }, state: "sealed" }],
  );
  const legacy = (await (await endpoint(post(withToken), alice)).json()) as Sent;
  assert.equal(legacy.error?.data.error_code, "UPSTREAM_INPUT_REQUIRED");
});

test("modern: a subscription is acknowledged first, names itself in all it says, and ends with the agent", async () => {
  const { gateway, endpoint } = start();
  const wanted = { toolsListChanged: true, resourceSubscriptions: ["file:///a"] };
  const response = await endpoint(
    modernRequest("subscriptions/listen", { id: "sub", params: { notifications: wanted }, headers: BOTH }),
    alice,
  );
  const stream = messages(response);
  const about = { "io.modelcontextprotocol/subscriptionId": "sub" };
  assert.deepEqual((await stream.next()).value?.params, { notifications: wanted, _meta: about });
  for (const notify of gateway.listeners) notify("notifications/tools/list_changed", {});
  assert.deepEqual((await stream.next()).value, {
    jsonrpc: "2.0",
    method: "notifications/tools/list_changed",
    params: { _meta: about },
  });
  await stream.return(undefined);
  assert.equal(gateway.listeners.size, 0);
});

test("modern: a listener that does not read is let go", async () => {
  const { gateway, endpoint } = start();
  const response = await endpoint(
    modernRequest("subscriptions/listen", { params: { notifications: { toolsListChanged: true } }, headers: BOTH }),
    alice,
  );
  const [notify] = gateway.listeners;
  for (let sent = 0; sent < 100; sent += 1) notify?.("notifications/tools/list_changed", {});
  assert.equal(gateway.listeners.size, 0);
  const read = await all(response);
  assert.deepEqual(read.at(-1)?.result?.resultType, "complete");
});

test("a stream that may stand no longer is ended in order, in both eras, and may be opened anew", async () => {
  const { gateway, endpoint } = start();
  const session = await initialized(endpoint);
  const get = (): Promise<Response> =>
    endpoint(new Request("http://gateway/mcp", { headers: { accept: "text/event-stream", ...session } }), alice);
  const subscribe = (): Promise<Response> =>
    endpoint(
      modernRequest("subscriptions/listen", {
        id: "sub",
        params: { notifications: { toolsListChanged: true } },
        headers: BOTH,
      }),
      alice,
    );
  const [legacy, modern] = [await get(), await subscribe()];
  gateway.endListening();
  assert.deepEqual(await all(legacy), []);
  assert.deepEqual(
    (await all(modern)).map(({ id, method, result }) => [id, method, result?.resultType]),
    [
      [undefined, "notifications/subscriptions/acknowledged", undefined],
      ["sub", undefined, "complete"],
    ],
  );
  assert.equal(gateway.listeners.size, 0);
  const again = await get();
  assert.equal(again.status, 200);
  await again.body?.cancel();
});

test("a stream that is ended while it is opened, or refused, is listened to no more, in both eras", async () => {
  const { gateway, endpoint } = start();
  const session = await initialized(endpoint);
  const get = (): Promise<Response> =>
    endpoint(new Request("http://gateway/mcp", { headers: { accept: "text/event-stream", ...session } }), alice);
  const subscribe = (): Promise<Response> =>
    endpoint(
      modernRequest("subscriptions/listen", { params: { notifications: { toolsListChanged: true } }, headers: BOTH }),
      alice,
    );
  const signals: AbortSignal[] = [];
  gateway.listen = async (_, __, filter, { end }, signal) => {
    signals.push(signal);
    end();
    return filter;
  };
  assert.deepEqual(await all(await get()), []);
  assert.equal((await all(await subscribe())).at(-1)?.result?.resultType, "complete");
  gateway.listen = async (_, __, ___, ____, signal) => {
    signals.push(signal);
    throw new CmcpError("OVERLOADED", "too many listen");
  };
  for (const open of [get, subscribe])
    assert.equal(((await (await open()).json()) as Sent).error?.data.error_code, "OVERLOADED");
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, true, true, true],
  );
});

test("legacy: a session has one stream of its own", async () => {
  const { gateway, endpoint } = start();
  const session = await initialized(endpoint);
  const get = (headers: Record<string, string>): Promise<Response> =>
    endpoint(new Request("http://gateway/mcp", { headers: { accept: "text/event-stream", ...headers } }), alice);
  const stream = messages(await get(session));
  for (const notify of gateway.listeners) notify("notifications/resources/updated", { uri: "file:///a" });
  assert.deepEqual((await stream.next()).value, {
    jsonrpc: "2.0",
    method: "notifications/resources/updated",
    params: { uri: "file:///a" },
  });
  assert.equal((await get(session)).status, 409);
  await stream.return(undefined);
  assert.equal(gateway.listeners.size, 0);
  const again = await get(session);
  assert.equal(again.status, 200);
  await again.body?.cancel();
  assert.deepEqual(
    [
      (await get({})).status,
      (await get({ ...session, accept: "application/json" })).status,
      (await get({ "mcp-session-id": "other" })).status,
    ],
    [400, 406, 404],
  );
  gateway.listen = async () => {
    throw new CmcpError("OVERLOADED", "too many listen");
  };
  assert.equal((await get(session)).status, 503);
  assert.equal((await get(session)).status, 503, "a stream that could not be opened does not count");
});

test("lists are given page by page, and the log level is the session's", async () => {
  const { gateway, endpoint } = start();
  gateway.lists = (kind, cursor) => ({
    items: [{ name: `${kind}-${cursor ?? "first"}` }],
    nextCursor: cursor === null ? "c2" : null,
  });
  const session = await initialized(endpoint);
  const ask = async (method: string, params: JsonObject = {}): Promise<Sent> =>
    (await (await endpoint(post({ id: 1, method, params }, session), alice)).json()) as Sent;
  assert.deepEqual((await ask("resources/templates/list")).result, {
    resourceTemplates: [{ name: "templates-first" }],
    nextCursor: "c2",
  });
  assert.deepEqual((await ask("prompts/list", { cursor: "c2" })).result, { prompts: [{ name: "prompts-c2" }] });
  assert.deepEqual((await ask("logging/setLevel", { level: "warning" })).result, {});
  gateway.reply = (_call, _session, _signal, peer) => ({ kind: "result", result: { level: peer.logLevel } });
  assert.deepEqual((await ask("tools/call", { name: "tool" })).result, { level: "warning" });
  assert.equal((await ask("logging/setLevel", { level: "loud" })).error?.code, -32602);
});
