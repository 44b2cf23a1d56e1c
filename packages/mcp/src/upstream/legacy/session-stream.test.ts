import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer } from "../../peer.ts";
import { EVENT_STREAM, chunk, gone, http, json, reply } from "../../testing/scripted-server.ts";
import { forever, start } from "../../testing/upstream.ts";
import {
  askableParams,
  asks,
  call,
  END,
  follow,
  gets,
  OK,
  question,
  serve,
  subscribed,
  updated,
} from "../../testing/own-stream.ts";

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
