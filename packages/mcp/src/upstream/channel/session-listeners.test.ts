import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import type { ListenFilter } from "../../protocol/local-params.ts";
import { ScriptedChannel, type Answering } from "../../testing/scripted-channel.ts";
import { Conversation } from "./conversation.ts";
import type { ExchangeCaller } from "../exchange.ts";
import { SessionListeners } from "./session-listeners.ts";

const SUBSCRIBE = "resources/subscribe";
const UNSUBSCRIBE = "resources/unsubscribe";
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function following(...resourceSubscriptions: string[]): ListenFilter {
  return { toolsListChanged: false, promptsListChanged: false, resourcesListChanged: false, resourceSubscriptions };
}

/** A connection to a server of these followers. */
function connect(
  followers: SessionListeners,
  answering: Answering = () => ({}),
): { channel: ScriptedChannel; conversation: Conversation } {
  const conversation = new Conversation();
  const channel = new ScriptedChannel(conversation, answering);
  conversation.attach(channel);
  followers.opened(conversation);
  return { channel, conversation };
}

test("every follower hears of what it follows, and of nothing else", async () => {
  const followers = new SessionListeners();
  const heard: string[] = [];
  const add = (name: string, filter: ListenFilter): (() => void) =>
    followers.add(filter, (method, params) => void heard.push(`${name} ${method} ${JSON.stringify(params)}`));
  add("a", following("a:1", "a:2"));
  add("b", following("a:2"));
  add("c", { ...following(), toolsListChanged: true });
  const leave = add("d", following("a:1"));
  const { channel } = connect(followers);
  leave();
  for (const uri of ["a:1", "a:2", "a:3"])
    await channel.say({ method: "notifications/resources/updated", params: { uri, note: "more" } });
  for (const list of ["tools", "prompts", "resources"])
    await channel.say({ method: `notifications/${list}/list_changed`, params: { note: "more" } });
  const updated = "notifications/resources/updated";
  assert.deepEqual(heard, [
    `a ${updated} {"uri":"a:1"}`,
    `a ${updated} {"uri":"a:2"}`,
    `b ${updated} {"uri":"a:2"}`,
    "c notifications/tools/list_changed {}",
  ]);
});

test("a resource is subscribed to for the first follower and given up with the last", async () => {
  const followers = new SessionListeners();
  const { channel } = connect(followers);
  const leave = [following("a:1"), following("a:1", "a:2")].map((filter) => followers.add(filter, () => undefined));
  await settle();
  leave[0]?.();
  await settle();
  assert.deepEqual([channel.uris(SUBSCRIBE), channel.uris(UNSUBSCRIBE)], [["a:1", "a:2"], []]);
  leave[1]?.();
  await settle();
  assert.deepEqual(channel.uris(UNSUBSCRIBE), ["a:1", "a:2"]);
});

test("who follows anew in the same turn has not left", async () => {
  const followers = new SessionListeners();
  const { channel } = connect(followers);
  const leave = followers.add(following("a:1"), () => undefined);
  await settle();
  leave();
  followers.add(following("a:1", "a:2"), () => undefined);
  await settle();
  assert.deepEqual([channel.uris(SUBSCRIBE), channel.uris(UNSUBSCRIBE)], [["a:1", "a:2"], []]);
});

test("a new connection is told of everything that is followed, before whatever it was opened for", async () => {
  const followers = new SessionListeners();
  followers.add(following("a:1", "a:2"), () => undefined);
  const first = connect(followers);
  await settle();
  first.channel.end();
  followers.closed(first.conversation);
  const next = connect(followers);
  // The end of one that was replaced already changes nothing.
  followers.closed(first.conversation);
  await Promise.resolve();
  void next.conversation.notify("for whatever it was opened");
  await settle();
  assert.deepEqual(
    next.channel.sent.map(({ method }) => method),
    [SUBSCRIBE, SUBSCRIBE, "for whatever it was opened"],
  );
  followers.add(following("a:3"), () => undefined);
  await settle();
  assert.deepEqual(next.channel.uris(SUBSCRIBE), ["a:1", "a:2", "a:3"]);
});

test("what a server refuses is not asked for again, and what could not be sent is", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const followers = new SessionListeners();
  const { channel } = connect(followers, () => null);
  let full = true;
  const send = channel.send.bind(channel);
  t.mock.method(channel, "send", async (text: string, caller: ExchangeCaller) => {
    if (full && text.includes("a:2"))
      throw new CmcpError("OVERLOADED", "the stdio server does not read what it is sent", { detail: { sent: 0 } });
    await send(text, caller);
  });
  followers.add(following("a:1", "a:2"), () => undefined);
  await settle();
  await channel.say({ id: 1, error: { code: -32601, message: "Method not found" } });
  full = false;
  await settle();
  assert.deepEqual(channel.uris(SUBSCRIBE), ["a:1"]);
  t.mock.timers.tick(1_000);
  await settle();
  assert.deepEqual(channel.uris(SUBSCRIBE), ["a:1", "a:2"]);
});

test("so many subscriptions are asked for at the same time", async () => {
  const followers = new SessionListeners();
  let open = 0;
  let most = 0;
  const { channel } = connect(followers, () => {
    most = Math.max(most, (open += 1));
    queueMicrotask(() => (open -= 1));
    return {};
  });
  followers.add(following(...Array.from({ length: 100 }, (_, n) => `a:${n}`)), () => undefined);
  for (let turn = 0; turn < 20; turn += 1) await settle();
  assert.equal(channel.uris(SUBSCRIBE).length, 100);
  assert.ok(most <= 16, String(most));
});
