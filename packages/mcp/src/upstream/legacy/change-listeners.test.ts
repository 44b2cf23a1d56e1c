import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../../peer.ts";
import { EVENT_STREAM, event, http, json, reply, type ScriptedRequest } from "../../testing/scripted-server.ts";
import { forever, start } from "../../testing/upstream.ts";
import type { UpstreamClient } from "../client.ts";

const OK: JsonObject = { content: [] };
const CALL = { method: "tools/call", params: { name: "tool", arguments: {} } };
const NO_LISTS = { toolsListChanged: false, promptsListChanged: false, resourcesListChanged: false };
const note = (method: string, params: JsonObject = {}): string =>
  event({ jsonrpc: "2.0", method: `notifications/${method}`, params });
const SAID = [
  note("resources/updated", { uri: "a:x" }),
  ...["tools", "prompts", "resources"].map((list) => note(`${list}/list_changed`)),
  note("tasks/status", { taskId: "x" }),
].join("");

/** A server that says all of it on every stream of that kind, and then answers. */
const saying =
  (where: "POST" | "GET", said = SAID) =>
  (request: ScriptedRequest, socket: Socket): void => {
    if (request.method === "GET") socket.write(where === "GET" ? EVENT_STREAM + said : http(405, {}, ""));
    else if (request.message.method === "tools/call" && where === "POST")
      socket.write(`${EVENT_STREAM}${said}${event(reply(request, OK))}0\r\n\r\n`);
    else socket.write(json(reply(request, OK)));
  };

/** Who listens in a session, and what they have heard. */
function listen(t: TestContext, client: UpstreamClient, sessionKey: string, filter: typeof NO_LISTS): string[] {
  const heard: string[] = [];
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  void client.listen(
    sessionKey,
    { ...filter, resourceSubscriptions: ["a:x"] },
    (method) => void heard.push(method.slice("notifications/".length)),
    leaving.signal,
  );
  return heard;
}

test("what a legacy server says of changes on an answer's stream is heard as on a stream of its own: of resources in that session, of lists by whoever asked for that list", async (t) => {
  const { client, server } = await start(t, saying("POST"));
  const [follower, other, tools, watcher] = [
    listen(t, client, "s", NO_LISTS),
    listen(t, client, "t", NO_LISTS),
    listen(t, client, "u", { ...NO_LISTS, toolsListChanged: true }),
    listen(t, client, "gateway", { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }),
  ];
  // The server offers no stream of its own: they listen all the same.
  for (const session of ["session-1", "session-2", "session-3", "session-4"])
    await server.arrival(({ method, headers }) => method === "GET" && headers.get("mcp-session-id") === session);
  while (client.load.streams > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await client.request("s", CALL, silentPeer(forever));
  assert.deepEqual(
    { follower, other, tools, watcher },
    {
      follower: ["resources/updated"],
      other: [],
      tools: ["tools/list_changed"],
      watcher: ["tools/list_changed", "prompts/list_changed", "resources/list_changed"],
    },
  );
});

test("a list that changed is heard of on the own stream of any session", async (t) => {
  const leaving = new AbortController();
  const { client } = await start(t, saying("GET"));
  const watched = Promise.withResolvers<void>();
  const said: string[] = [];
  const lists = {
    toolsListChanged: true,
    promptsListChanged: true,
    resourcesListChanged: true,
    resourceSubscriptions: [],
  };
  const watching = client.listen(
    "gateway",
    lists,
    (method) => {
      said.push(method);
      // Once on the gateway's own stream, once on that of the session.
      if (said.filter((each) => each === "notifications/resources/list_changed").length === 2) watched.resolve();
    },
    leaving.signal,
  );
  const heard = listen(t, client, "s", NO_LISTS);
  await watched.promise;
  assert.deepEqual(heard, ["resources/updated"]);
  leaving.abort();
  await watching;
});

test("who listens no more hears nothing on answers' streams either", async (t) => {
  const { client, server } = await start(t, saying("POST"));
  const heard: string[] = [];
  const leaving = new AbortController();
  const listening = client.listen(
    "s",
    { ...NO_LISTS, resourceSubscriptions: ["a:x"] },
    (method) => void heard.push(method),
    leaving.signal,
  );
  await server.arrival(({ method }) => method === "GET");
  leaving.abort();
  await listening;
  await client.request("s", CALL, silentPeer(forever));
  assert.deepEqual(heard, []);
});

test("on whichever streams a server says it, one who listens hears so much of it in a second", async (t) => {
  const { client, server } = await start(t, saying("POST", note("resources/updated", { uri: "a:x" }).repeat(80)));
  const heard = listen(t, client, "s", NO_LISTS);
  await server.arrival(({ method }) => method === "GET");
  const now = performance.now();
  t.mock.method(performance, "now", () => now);
  for (let n = 0; n < 2; n += 1) await client.request("s", CALL, silentPeer(forever));
  assert.equal(heard.length, 100);
});

for (const where of ["POST", "GET"] as const) {
  test(`that an elicitation is complete is told to the callers of that session that can be asked, when the server says so on a stream of a ${where}`, async (t) => {
    const said =
      note("elicitation/complete", { elicitationId: "e", more: "words" }) +
      note("elicitation/complete", { elicitationId: 1 }) +
      note("elicitation/complete");
    const told = Promise.withResolvers<void>();
    const { client } = await start(t, (request, socket) => {
      if (request.method === "GET") return saying(where, said)(request, socket);
      if (where === "POST") return saying(where, said)(request, socket);
      return void told.promise.then(() => saying(where, said)(request, socket));
    });
    const heard: unknown[] = [];
    const router = (name: string): Peer => ({
      ...silentPeer(forever),
      progressToken: 1,
      notify: async (method, params) => void heard.push([name, method, params]),
    });
    await Promise.all([
      client.request("s", CALL, {
        ...router("asked"),
        capabilities: { elicitation: { url: {} } },
        input: "ask",
        notify: async (method, params) => {
          heard.push(["asked", method, params]);
          told.resolve();
        },
      }),
      ...(where === "GET" ? [client.request("s", CALL, router("unasked"))] : []),
    ]);
    assert.deepEqual(heard, [["asked", "notifications/elicitation/complete", { elicitationId: "e" }]]);
  });
}
