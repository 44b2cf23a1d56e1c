import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test, type TestContext } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../../peer.ts";
import { ScriptedChannel } from "../../testing/scripted-channel.ts";
import { faultOf, forever } from "../../testing/upstream.ts";
import { Conversation } from "./conversation.ts";

const LONG = 60_000;

function start(): { conversation: Conversation; channel: ScriptedChannel; unattributed: { count: number } } {
  const unattributed = { count: 0 };
  const conversation = new Conversation(unattributed);
  const channel = new ScriptedChannel(conversation);
  conversation.attach(channel);
  return { conversation, channel, unattributed };
}

/** A caller that wants to hear everything and answers every question with its name. */
function router(name: string, heard: string[], signal = forever): Peer {
  return {
    ...silentPeer(signal),
    capabilities: { elicitation: {} },
    progressToken: 1,
    wantsLog: true,
    notify: async (method, { data, progress }) =>
      void heard.push(`${name} ${method} ${JSON.stringify(data ?? progress)}`),
    ask: async (_, { message }) => {
      heard.push(`${name} asked ${JSON.stringify(message)}`);
      return { action: "decline" };
    },
  };
}

const log = (data: string, more: JsonObject = {}): JsonObject => ({
  method: "notifications/message",
  params: { level: "info", data, ...more },
});
const question = (id: string, message: string): JsonObject => ({
  id,
  method: "elicitation/create",
  params: { message },
});
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What a server that reads no more does to a call of 100 ms, and to its caller. */
async function sendToDeaf(
  t: TestContext,
  end: (leaving: AbortController) => void,
  ms = LONG,
): Promise<{ code: string; sent: unknown }> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { conversation, channel } = start();
  channel.reads = false;
  const leaving = new AbortController();
  const call = faultOf(conversation.request("tools/call", {}, silentPeer(leaving.signal), ms));
  end(leaving);
  const { code, detail } = await call;
  assert.deepEqual([conversation.waiting, getEventListeners(leaving.signal, "abort").length], [0, 0], "nothing stays");
  return { code, sent: detail.sent };
}

test("a call on a connection that has ended is refused at once, as one that has not left", {
  timeout: 5_000,
}, async () => {
  const { conversation, channel } = start();
  channel.end();
  await settle();
  const { code, detail } = await faultOf(conversation.request("tools/call", {}, silentPeer(forever), LONG));
  assert.deepEqual([code, detail.sent, channel.sent, conversation.waiting], ["UPSTREAM_UNAVAILABLE", 0, [], 0]);
});

test("a call whose message the server does not take ends at its time", { timeout: 5_000 }, async (t) => {
  assert.deepEqual(await sendToDeaf(t, () => t.mock.timers.tick(100), 100), { code: "UPSTREAM_TIMEOUT", sent: 1 });
});

test("a call whose message the server does not take ends with its caller", { timeout: 5_000 }, async (t) => {
  assert.deepEqual(await sendToDeaf(t, (leaving) => leaving.abort()), { code: "REQUEST_CANCELLED", sent: 1 });
});

test("the end of a call waits for no cancellation to leave", { timeout: 5_000 }, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { conversation, channel } = start();
  const call = faultOf(conversation.request("tools/call", {}, silentPeer(forever), 100));
  await settle();
  channel.reads = false;
  t.mock.timers.tick(100);
  assert.equal((await call).code, "UPSTREAM_TIMEOUT");
  assert.deepEqual(
    channel.sent.map(({ method }) => method),
    ["tools/call", "notifications/cancelled"],
  );
});

test("a message that nobody waits for is given up after a while", { timeout: 5_000 }, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { conversation, channel } = start();
  channel.reads = false;
  const told = conversation.notify("notifications/initialized");
  t.mock.timers.tick(5_000);
  await told;
});

test("the end of the connection ends every request on it, as one that may have run", { timeout: 5_000 }, async () => {
  const { conversation, channel } = start();
  const calls = [1, 2].map(() => faultOf(conversation.request("tools/call", {}, silentPeer(forever), LONG)));
  channel.end();
  assert.deepEqual(
    (await Promise.all(calls)).map(({ code, detail }) => [code, detail.sent]),
    [
      ["UPSTREAM_UNAVAILABLE", 1],
      ["UPSTREAM_UNAVAILABLE", 1],
    ],
  );
  assert.equal(conversation.waiting, 0);
});

test("what a server says to the only request in flight reaches its caller", async () => {
  const { conversation, channel, unattributed } = start();
  const heard: string[] = [];
  const call = conversation.request("tools/call", {}, router("a", heard), LONG);
  await channel.say(log("working"));
  await channel.say(question("q", "which?"));
  await settle();
  await channel.say({ id: 1, result: {} });
  await call;
  assert.deepEqual(heard, ['a notifications/message "working"', 'a asked "which?"']);
  assert.deepEqual(channel.sent.at(-1), { jsonrpc: "2.0", id: "q", result: { action: "decline" } });
  assert.equal(unattributed.count, 0);
});

test("of several requests in flight, what names none of them reaches none, and progress whose it is", async () => {
  const { conversation, channel, unattributed } = start();
  const heard: string[] = [];
  const calls = ["a", "b"].map((name) => conversation.request("tools/call", {}, router(name, heard), LONG));
  await channel.say(log("about one of them"));
  await channel.say(question("q", "of one of them?"));
  await channel.say({ method: "notifications/progress", params: { progressToken: 1, progress: 5 } });
  await settle();
  assert.deepEqual(heard, ["a notifications/progress 5"]);
  assert.deepEqual(channel.sent.at(-1)?.error, { code: -32601, message: "method not supported" });
  assert.equal(unattributed.count, 2);
  await channel.say({ id: 1, result: {} });
  await channel.say(log("about the other"));
  await channel.say({ id: 2, result: {} });
  await Promise.all(calls);
  assert.deepEqual(heard, ["a notifications/progress 5", 'b notifications/message "about the other"']);
});

test("a request of the gateway's own is in flight like any other", async () => {
  const { conversation, channel } = start();
  const heard: string[] = [];
  const calls = [
    conversation.request("tools/call", {}, router("a", heard), LONG),
    conversation.request("resources/subscribe", { uri: "a:another's" }, silentPeer(forever), LONG),
  ];
  await channel.say(log("subscribed to a:another's"));
  for (const id of [1, 2]) await channel.say({ id, result: {} });
  await Promise.all(calls);
  assert.deepEqual(heard, []);
});

test("a request that was given up is in flight until it is answered, or as long again as it may have taken", async (t) => {
  for (const answered of [true, false]) {
    let now = 0;
    const clock = t.mock.method(performance, "now", () => now);
    const { conversation, channel } = start();
    const heard: string[] = [];
    const leaving = new AbortController();
    const given = faultOf(conversation.request("tools/call", {}, router("a", heard, leaving.signal), LONG));
    await settle();
    leaving.abort();
    await given;
    const call = conversation.request("tools/call", {}, router("b", heard), LONG);
    now = LONG - 1;
    await channel.say(log("about the first"));
    assert.deepEqual(heard, []);
    if (answered) await channel.say({ id: 1, result: {} });
    else now = LONG;
    await channel.say(log("about the second"));
    assert.deepEqual(heard, ['b notifications/message "about the second"']);
    await channel.say({ id: 2, result: {} });
    await call;
    clock.mock.restore();
  }
});

test("a request of which nothing left is in flight for nobody", async (t) => {
  const { conversation, channel } = start();
  const refusing = t.mock.method(channel, "send", async () => {
    throw new CmcpError("OVERLOADED", "the stdio server does not read what it is sent", { detail: { sent: 0 } });
  });
  const heard: string[] = [];
  const fault = await faultOf(conversation.request("tools/call", {}, router("a", heard), LONG));
  assert.deepEqual([fault.code, fault.detail.sent], ["OVERLOADED", 0]);
  refusing.mock.restore();
  const call = conversation.request("tools/call", {}, router("b", heard), LONG);
  await channel.say(log("about the second"));
  await channel.say({ id: 2, result: {} });
  await call;
  assert.deepEqual(heard, ['b notifications/message "about the second"']);
});

test("a log message that names its task reaches whoever waits for that task, and nobody else", async () => {
  const { conversation, channel } = start();
  const heard: string[] = [];
  const calls = ["one", "two"].map((taskId) =>
    conversation.request("tasks/result", { taskId }, router(taskId, heard), LONG),
  );
  const about = (taskId: string): JsonObject => ({ _meta: { "io.modelcontextprotocol/related-task": { taskId } } });
  await channel.say(log("x", about("two")));
  await channel.say({ id: 1, result: {} });
  await channel.say(log("y", about("one")));
  await channel.say({ id: 2, result: {} });
  await Promise.all(calls);
  assert.deepEqual(heard, ['two notifications/message "x"']);
});

test("that an elicitation is complete is told to every caller in flight that can be asked: each knows what it was asked", async () => {
  const { conversation, channel } = start();
  const heard: string[] = [];
  const leaving = new AbortController();
  const callers = ["one", "two"].map((name) =>
    faultOf(
      conversation.request(
        "tools/call",
        {},
        { ...router(name, heard, leaving.signal), input: name === "one" ? "ask" : "none" },
        LONG,
      ),
    ),
  );
  await settle();
  await channel.say({ method: "notifications/elicitation/complete", params: { elicitationId: "e" } });
  assert.deepEqual(heard, ["one notifications/elicitation/complete undefined"]);
  leaving.abort();
  await Promise.all(callers);
});

test("a question that the server takes back is void and gets no answer; the call and other questions go on", async () => {
  const { conversation, channel } = start();
  const asked: { readonly until: AbortSignal | undefined; readonly answer: PromiseWithResolvers<JsonObject> }[] = [];
  const peer: Peer = {
    ...router("a", []),
    ask: (_, __, until) =>
      asked[asked.push({ until, answer: Promise.withResolvers() }) - 1]?.answer.promise ?? Promise.reject(new Error()),
  };
  const call = conversation.request("tools/call", {}, peer, LONG);
  await settle();
  for (const id of ["x", "y"]) await channel.say(question(id, id));
  await settle();
  await channel.say({ method: "notifications/cancelled", params: { requestId: "x" } });
  await settle();
  assert.deepEqual(
    asked.map(({ until }) => until?.aborted),
    [true, false],
  );
  for (const { answer } of asked) answer.resolve({ action: "accept" });
  await settle();
  await channel.say({ id: channel.sent[0]?.id ?? null, result: {} });
  assert.deepEqual(await call, {});
  assert.deepEqual(
    channel.sent.slice(1).map(({ id, result }) => [id, result]),
    [["y", { action: "accept" }]],
  );
});

test("a server whose caller has gone while it asks is told so, and need not wait", async () => {
  const { conversation, channel } = start();
  const leaving = new AbortController();
  const gone = new Promise<never>((_, reject) =>
    leaving.signal.addEventListener("abort", () => reject(new CmcpError("REQUEST_CANCELLED", "gone"))),
  );
  const call = faultOf(
    conversation.request("tools/call", {}, { ...router("a", [], leaving.signal), ask: () => gone }, LONG),
  );
  await settle();
  await channel.say(question("x", "name?"));
  await settle();
  leaving.abort();
  await call;
  await settle();
  assert.deepEqual(
    channel.sent.slice(1).map(({ method, id, error }) => method ?? [id, (error as JsonObject).code]),
    ["notifications/cancelled", ["x", -32000]],
  );
});
