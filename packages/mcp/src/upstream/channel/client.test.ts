import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { ListenFilter } from "../../protocol/local-params.ts";
import { silentPeer } from "../../peer.ts";
import { initialized, scripted, type ScriptedChannel } from "../../testing/scripted-channel.ts";
import { faultOf, forever } from "../../testing/upstream.ts";
import { ChannelClient } from "./client.ts";
import { LongLivedConnections } from "./long-lived-connections.ts";

const CALL = { method: "tools/call", params: { name: "tool", arguments: {} } };
const LISTS: ListenFilter = {
  toolsListChanged: true,
  promptsListChanged: false,
  resourcesListChanged: false,
  resourceSubscriptions: ["a:1"],
};
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const declared = ({ sent }: ScriptedChannel): unknown => (sent[0]?.params as JsonObject | undefined)?.capabilities;

function start(t: { after(undo: () => Promise<void>): void }): { client: ChannelClient; opened: ScriptedChannel[] } {
  const opened: ScriptedChannel[] = [];
  const client = new ChannelClient({
    open: () => scripted(opened, initialized()),
    clientInfo: { name: "gateway", version: "1" },
  });
  t.after(() => client.close());
  return { client, opened };
}

test("who listens hears from the next connection too, which knows of it before the call it is opened for", async (t) => {
  const { client, opened } = start(t);
  const heard: string[] = [];
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  void client.listen("s", LISTS, (method) => void heard.push(method), leaving.signal);
  await settle();
  opened[0]?.end();
  await settle();
  await client.request("s", CALL, silentPeer(forever));
  const [, next] = opened;
  assert.deepEqual(
    next?.sent.map(({ method }) => method),
    ["initialize", "notifications/initialized", "resources/subscribe", "tools/call"],
  );
  await next?.say({ method: "notifications/resources/updated", params: { uri: "a:1" } });
  await next?.say({ method: "notifications/tools/list_changed" });
  assert.deepEqual(heard, ["notifications/resources/updated", "notifications/tools/list_changed"]);
  leaving.abort();
  await settle();
  assert.deepEqual(next?.uris("resources/unsubscribe"), ["a:1"]);
});

test("who listens opens a connection again that has ended, for as long as anybody does", {
  timeout: 20_000,
}, async (t) => {
  const { client, opened } = start(t);
  const leaving = new AbortController();
  const listening = client.listen("s", LISTS, () => undefined, leaving.signal);
  await settle();
  opened[0]?.end();
  while (opened.length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  await settle();
  assert.deepEqual(opened[1]?.uris("resources/subscribe"), ["a:1"]);
  leaving.abort();
  await listening;
  opened[1]?.end();
  await settle();
  assert.deepEqual([opened.length, client.load.streams], [2, 0]);
});

test("a connection opened for who listens declares what the agent's did", { timeout: 20_000 }, async (t) => {
  const { client, opened } = start(t);
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  await client.request("s", CALL, { ...silentPeer(forever), capabilities: { elicitation: {} } });
  void client.listen("s", LISTS, () => undefined, leaving.signal);
  await settle();
  opened[0]?.end();
  while (opened.length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(opened.map(declared), [{ elicitation: {} }, { elicitation: {} }]);
});

/** A client whose sessions have two connections between them; the server answers calls while `answering` says so. */
function crowded(t: { after(undo: () => Promise<void>): void }): {
  client: ChannelClient;
  opened: ScriptedChannel[];
  server: { answering: boolean };
} {
  const opened: ScriptedChannel[] = [];
  const server = { answering: true };
  const answering = initialized({}, () => (server.answering ? {} : null));
  const client = new ChannelClient({
    open: () => scripted(opened, answering),
    clientInfo: { name: "gateway", version: "1" },
    standing: { connections: new LongLivedConnections(2), holderOf: (key) => key },
  });
  t.after(() => client.close());
  return { client, opened, server };
}

test("of more sessions than may hold a connection, the one idle longest gives way, and comes back when it is used", async (t) => {
  const { client, opened } = crowded(t);
  for (const session of ["a", "b", "a", "c", "a"]) await client.request(session, CALL, silentPeer(forever));
  assert.deepEqual([opened.length, client.load.streams], [3, 2]);
  await client.request("b", CALL, silentPeer(forever));
  assert.deepEqual([opened.length, client.load.streams], [4, 2]);
});

test("a connection in use gives way to nobody, be it a request or who listens that uses it", async (t) => {
  const { client, opened, server } = crowded(t);
  const leaving = new AbortController();
  t.after(async () => leaving.abort());
  void client.listen("listening", LISTS, () => undefined, leaving.signal);
  await settle();
  server.answering = false;
  const running = client.request("a", CALL, silentPeer(forever));
  await settle();
  const fault = await faultOf(client.request("b", CALL, silentPeer(forever)));
  assert.deepEqual([fault.code, fault.detail.sent], ["OVERLOADED", 0]);
  await opened[1]?.say({ id: opened[1].sent.at(-1)?.id ?? null, result: {} });
  await running;
  server.answering = true;
  await client.request("b", CALL, silentPeer(forever));
});

test("a connection that has ended holds no place", async (t) => {
  const { client, opened, server } = crowded(t);
  await client.request("a", CALL, silentPeer(forever));
  opened[0]?.end();
  await settle();
  server.answering = false;
  const running = client.request("a", CALL, silentPeer(forever));
  await settle();
  server.answering = true;
  await client.request("b", CALL, silentPeer(forever));
  await opened[1]?.say({ id: opened[1].sent.at(-1)?.id ?? null, result: {} });
  await running;
});

test("a server that does not take what opens the session is given up", { timeout: 5_000 }, async (t) => {
  const opened: ScriptedChannel[] = [];
  const deaf = scripted(opened, initialized());
  const client = new ChannelClient({
    open: () => async (receiver, signal) => {
      const channel = await deaf(receiver, signal);
      for (const one of opened) one.reads = false;
      return channel;
    },
    clientInfo: { name: "gateway", version: "1" },
    limits: { headersMs: 50 },
  });
  t.after(() => client.close());
  const fault = await faultOf(client.request("s", CALL, silentPeer(forever)));
  assert.deepEqual([fault.code, fault.detail.sent, client.load.streams], ["UPSTREAM_TIMEOUT", 0, 0]);
});
