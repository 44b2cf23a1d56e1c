import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../../peer.ts";
import {
  EVENT_STREAM,
  chunk,
  event,
  gone,
  http,
  json,
  reply,
  type ScriptedRequest,
} from "../../testing/scripted-server.ts";
import { faultOf, forever, start } from "../../testing/upstream.ts";
import type { UpstreamClient } from "../client.ts";

const OK: JsonObject = { content: [] };
const END = "0\r\n\r\n";
const call = (name: string): { method: string; params: JsonObject } => ({
  method: "tools/call",
  params: { name, arguments: {} },
});
const note = (method: string, params: JsonObject): string =>
  event({ jsonrpc: "2.0", method: `notifications/${method}`, params });
const updated = note("resources/updated", { uri: "a:x" });
const question = event({ jsonrpc: "2.0", id: "q", method: "elicitation/create", params: { message: "name?" } });
const answers = ({ message }: ScriptedRequest): boolean => message.method === undefined && message.id !== undefined;
const asks = ({ message }: ScriptedRequest, method: string): boolean => message.method === method;
const tokenOf = ({ message }: ScriptedRequest): JsonObject[string] =>
  ((message.params as JsonObject)._meta as JsonObject | undefined)?.progressToken ?? null;

const askableParams = (ask: Peer["ask"] = async () => ({ action: "decline" })): Peer => ({
  ...silentPeer(forever),
  capabilities: { elicitation: {} },
  input: "ask",
  ask,
});
const router = (notify: (said: JsonObject) => unknown, signal = forever): Peer => ({
  ...silentPeer(signal),
  progressToken: 1,
  notify: async (_, said) => void (await notify(said)),
});

/** Follows one resource on behalf of the session. */
function follow(
  t: TestContext,
  client: UpstreamClient,
): { readonly heard: string[]; readonly leave: () => Promise<void> } {
  const heard: string[] = [];
  const leaving = new AbortController();
  const filter = {
    toolsListChanged: false,
    promptsListChanged: false,
    resourcesListChanged: false,
    resourceSubscriptions: ["a:x"],
  };
  const listening = client.listen("s", filter, (method) => void heard.push(method), leaving.signal);
  const leave = (): Promise<void> => {
    leaving.abort();
    return listening;
  };
  t.after(leave);
  return { heard, leave };
}

/** A server with one own stream a session, as official SDKs have it, that answers calls as the test says. */
async function serve(
  t: TestContext,
  answer: (request: ScriptedRequest, socket: Socket, own: Socket) => void,
): ReturnType<typeof start> {
  let own = Promise.withResolvers<Socket>();
  let taken = false;
  return await start(t, (request, socket) => {
    if (request.method === "GET" && taken) return void socket.write(http(409, {}, ""));
    if (request.method === "GET") {
      taken = true;
      socket.write(EVENT_STREAM);
      own.resolve(socket);
      void gone(socket).then(() => {
        taken = false;
        own = Promise.withResolvers();
      });
      return;
    }
    if (answers(request)) return void socket.write(http(202, {}, ""));
    if (!asks(request, "tools/call")) return void socket.write(json(reply(request, {})));
    void own.promise.then((stream) => answer(request, socket, stream));
  });
}

const gets = (requests: readonly ScriptedRequest[]): number => requests.filter(({ method }) => method === "GET").length;
const subscribed = (requests: readonly ScriptedRequest[]): number =>
  requests.filter((request) => asks(request, "resources/subscribe")).length;

for (const [first, order] of [
  ["a subscription", ["follow", "call"]],
  ["a call", ["call", "follow"]],
] as const) {
  test(`${first} opens the session's own stream, the other hears there, too, and it stays for whoever is left`, async (t) => {
    const ended = Promise.withResolvers<() => void>();
    const closed = Promise.withResolvers<void>();
    const { client, server } = await serve(t, (request, socket, own) => {
      if ((request.message.params as JsonObject).name !== "asks") return void socket.write(json(reply(request, OK)));
      void gone(own).then(closed.resolve);
      own.write(updated + question);
      ended.resolve(() => void socket.write(json(reply(request, OK))));
    });
    const asked: unknown[] = [];
    const put = Promise.withResolvers<void>();
    let calling: Promise<unknown> | undefined;
    let following: ReturnType<typeof follow> | undefined;
    for (const what of order) {
      if (what === "follow") following = follow(t, client);
      else
        calling = client.request(
          "s",
          call("asks"),
          askableParams(async (_, { message = null }) => {
            asked.push(message);
            put.resolve();
            return { action: "decline" };
          }),
        );
      // The first has opened it by then.
      await server.arrival(({ method }) => method === "GET");
    }
    await server.arrival((request) => asks(request, "resources/subscribe"));
    await put.promise;
    if (order[0] === "follow") assert.deepEqual(following?.heard, ["notifications/resources/updated"]);
    (await ended.promise)();
    await calling;
    const waited = AbortSignal.timeout(1_500);
    assert.deepEqual(await client.request("s", call("plain"), askableParams()), { kind: "complete", result: OK });
    assert.deepEqual([asked, gets(server.requests), waited.aborted], [["name?"], 1, false]);
    await following?.leave();
    await closed.promise;
  });
}

test("a call goes on on the stream that a subscription has left", async (t) => {
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const { client, server } = await serve(t, (request, socket, own) => {
    void go.promise.then(() => own.write(question));
    void asked.promise.then(() => socket.write(json(reply(request, OK))));
  });
  const { leave } = follow(t, client);
  const calling = client.request(
    "s",
    call("asks"),
    askableParams(async () => {
      asked.resolve();
      return {};
    }),
  );
  await server.arrival((request) => asks(request, "tools/call"));
  await leave();
  go.resolve();
  await calling;
  assert.equal(gets(server.requests), 1);
});

test("progress on the session's own stream reaches the call that was given its token, and no other", async (t) => {
  const tokens = new Map<unknown, JsonObject[string]>();
  const { client } = await serve(t, (request, _, own) => {
    tokens.set((request.message.params as JsonObject).name, tokenOf(request));
    const [first = null, second = null] = [tokens.get("first"), tokens.get("second")];
    const say = (progressToken: JsonObject[string], progress: JsonObject[string]): string =>
      note("progress", { progressToken, progress });
    if (tokens.size === 2)
      own.write(say(first, 1) + say(second, 2) + say("none", 3) + say(second, "four") + say(second, 5));
  });
  const leaving = new AbortController();
  const heard: unknown[] = [];
  const done = Promise.withResolvers<void>();
  const first = faultOf(
    client.request(
      "s",
      call("first"),
      router((said) => heard.push(["first", said]), leaving.signal),
    ),
  );
  const second = faultOf(
    client.request(
      "s",
      call("second"),
      router((said) => {
        heard.push(["second", said]);
        if (said.progress === 5) done.resolve();
      }, leaving.signal),
    ),
  );
  await done.promise;
  leaving.abort();
  await Promise.all([first, second]);
  assert.deepEqual(heard, [
    ["first", { progress: 1 }],
    ["second", { progress: 2 }],
    ["second", { progress: 5 }],
  ]);
});

test("progress of another session's call is not that call's, though its token is known", async (t) => {
  const sessions = new Map<unknown, Socket>();
  let token: JsonObject[string] = null;
  const { client, server } = await start(t, (request, socket) => {
    const session = request.headers.get("mcp-session-id");
    if (request.method === "GET") {
      socket.write(EVENT_STREAM);
      sessions.set(session, socket);
    } else if (answers(request)) {
      socket.write(http(202, {}, ""));
    } else if ((request.message.params as JsonObject).name === "waits") {
      token = tokenOf(request);
    } else {
      // Said in the other session first; what is asked there, after it, shows that it was read.
      sessions.get(session)?.write(note("progress", { progressToken: token, progress: 1 }) + question);
      void server.arrival(answers).then(() => socket.write(json(reply(request, OK))));
    }
  });
  const leaving = new AbortController();
  const heard: unknown[] = [];
  const waits = faultOf(
    client.request(
      "s",
      call("waits"),
      router((said) => heard.push(said), leaving.signal),
    ),
  );
  await server.arrival((request) => asks(request, "tools/call"));
  await client.request("t", call("other"), askableParams());
  leaving.abort();
  await waits;
  assert.deepEqual(heard, []);
});

test("a flood of progress on the session's own stream ends the call, as on the call's own, and no other", async (t) => {
  const tokens: JsonObject[string][] = [];
  const release = Promise.withResolvers<void>();
  const { client, server } = await serve(t, (request, socket, own) => {
    tokens.push(tokenOf(request));
    if (tokens.length < 2) return;
    own.write(
      Array.from({ length: 10_001 }, (_, progress) =>
        note("progress", { progressToken: tokens[0] ?? null, progress }),
      ).join(""),
    );
    void release.promise.then(() => socket.write(json(reply(request, OK))));
  });
  const flooded = faultOf(
    client.request(
      "s",
      call("flooded"),
      router(() => undefined),
    ),
  );
  await server.arrival((request) => asks(request, "tools/call"));
  const other = client.request(
    "s",
    call("other"),
    router(() => undefined),
  );
  assert.deepEqual(((fault) => [fault.code, fault.detail.sent])(await flooded), ["UPSTREAM_PROTOCOL_ERROR", 1]);
  release.resolve();
  assert.deepEqual(await other, { kind: "complete", result: OK });
});

test("an agent that takes no progress holds the session's own stream until its call is over, and no longer", async (t) => {
  const stuck = Promise.withResolvers<void>();
  const { client, server } = await serve(t, (request, socket, own) => {
    const { name } = request.message.params as JsonObject;
    if (name === "stuck") own.write(note("progress", { progressToken: tokenOf(request), progress: 1 }) + question);
    if (name === "stuck") void stuck.promise.then(() => socket.write(json(reply(request, OK))));
    else void server.arrival(answers).then(() => socket.write(json(reply(request, OK))));
  });
  const asking = client.request("s", call("asks"), askableParams());
  await server.arrival((request) => asks(request, "tools/call"));
  await client.request(
    "s",
    call("stuck"),
    router(() => {
      stuck.resolve();
      return new Promise(() => undefined);
    }),
  );
  await asking;
});

test("a call that wants progress alone does not wait for the session's own stream", async (t) => {
  let call_: { request: ScriptedRequest; socket: Socket } | undefined;
  const { client } = await start(t, (request, socket) => {
    // Never answered.
    if (request.method === "GET") return;
    call_ = { request, socket };
    socket.write(json(reply(request, OK)));
  });
  const waited = AbortSignal.timeout(1_500);
  await client.request(
    "s",
    call("tool"),
    router(() => undefined),
  );
  assert.deepEqual([call_ !== undefined, waited.aborted], [true, false]);
});

test("a server that offers no stream of its own is not asked for it by the session's next call", async (t) => {
  const { client, server } = await start(
    t,
    (request, socket) => void socket.write(request.method === "GET" ? http(405, {}, "") : json(reply(request, OK))),
  );
  for (let n = 0; n < 2; n += 1) await client.request("s", call("tool"), askableParams());
  assert.equal(gets(server.requests), 1);
  await client.request("t", call("tool"), askableParams());
  assert.equal(gets(server.requests), 2);
});

test("while the stream waits to be opened again, a call opens it; what is followed is asked for again once it is there", async (t) => {
  let offered = false;
  const { client, server } = await start(t, (request, socket) => {
    if (request.method === "GET") socket.write(offered ? EVENT_STREAM : http(503, {}, ""));
    else
      socket.write(
        json(
          reply(
            request,
            asks(request, "tools/call") ? { content: [{ type: "text", text: String(gets(server.requests)) }] } : {},
          ),
        ),
      );
  });
  follow(t, client);
  await server.arrival(({ method }) => method === "GET");
  await server.arrival((request) => asks(request, "resources/subscribe"));
  while (client.load.streams > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  // Each waits as long as a call may wait, and the stream would be opened again later than that.
  await client.request("s", call("first"), askableParams());
  assert.equal(subscribed(server.requests), 1, "what fails is not repeated for calls");
  offered = true;
  const before = gets(server.requests);
  await client.request("s", call("second"), askableParams());
  assert.equal(gets(server.requests), before + 1);
  while (subscribed(server.requests) < 2) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("while the server wants its stream closed, as `retry` says, a call neither opens it nor waits for it", async (t) => {
  const { client, server } = await start(
    t,
    (request, socket) =>
      void socket.write(
        request.method === "GET" ? `${EVENT_STREAM}${chunk("retry: 3600000\n\n")}${END}` : json(reply(request, OK)),
      ),
  );
  const { heard } = follow(t, client);
  await server.arrival(({ method }) => method === "GET");
  // Its answer is read once a later one of the same connection could be.
  await client.request("s", call("first"), silentPeer(forever));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const called = client.request("s", call("second"), askableParams()).then(() => "called");
  assert.equal(await Promise.race([called, new Promise((resolve) => setTimeout(resolve, 1_900, "waited"))]), "called");
  assert.deepEqual([gets(server.requests), heard], [1, []]);
});

test("once the time that `retry` says is over, a call opens the stream as if the server had said nothing", async (t) => {
  const { client, server } = await start(
    t,
    (request, socket) =>
      void socket.write(
        request.method === "GET" ? `${EVENT_STREAM}${chunk("retry: 1\n\n")}${END}` : json(reply(request, OK)),
      ),
  );
  follow(t, client);
  await server.arrival(({ method }) => method === "GET");
  await client.request("s", call("first"), silentPeer(forever));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await client.request("s", call("second"), askableParams());
  assert.equal(gets(server.requests), 2);
});

test("a session that its server has lost is followed in the next one, where what is followed is subscribed to", async (t) => {
  let own: Socket | undefined;
  const { client, server } = await start(t, (request, socket) => {
    if (request.method !== "GET") return void socket.write(json(reply(request, {})));
    if (own !== undefined && request.headers.get("mcp-session-id") === "session-1")
      return void socket.write(http(404, {}, ""));
    own = socket;
    socket.write(EVENT_STREAM);
  });
  const { heard } = follow(t, client);
  await server.arrival((request) => asks(request, "resources/subscribe"));
  await server.arrival(({ method }) => method === "GET");
  own?.write(END);
  const anew = await server.arrival(
    (request) => asks(request, "resources/subscribe") && request.headers.get("mcp-session-id") === "session-2",
  );
  assert.deepEqual(anew.message.params, { uri: "a:x" });
  await server.arrival(({ method, headers }) => method === "GET" && headers.get("mcp-session-id") === "session-2");
  own?.write(updated);
  while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(heard, ["notifications/resources/updated"]);
});
