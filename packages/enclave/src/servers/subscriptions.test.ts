import assert from "node:assert/strict";
import { test } from "node:test";
import { namedServer } from "../testing/servers.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { SessionRef } from "./server-session.ts";
import type { UpdateListener } from "./upstreams.ts";

const server = namedServer("server");
const sessionOf = (id: string, principalId = "alice"): SessionRef => ({ id, principalId });

/** A stream to a server, as the server's side has it. */
interface Stream {
  readonly uris: () => readonly string[];
  readonly signal: AbortSignal;
  readonly acknowledge: () => void;
  /** The server offers none, or no second one. */
  refuse: () => void;
}

/** Follows nothing anywhere, and keeps what was asked of servers. */
function start(way: "a stream each" | "one stream" = "a stream each"): {
  streams: Stream[];
  subscriptions: Subscriptions;
  followed: (readonly string[])[];
  left: string[];
  said: ((uri: string) => void)[];
  updated: string[];
} {
  const streams: Stream[] = [];
  const [followed, left, said, updated]: [(readonly string[])[], string[], ((uri: string) => void)[], string[]] = [
    [],
    [],
    [],
    [],
  ];
  const upstreams: ConstructorParameters<typeof Subscriptions>[0] = {
    usesOneStream: () => way === "one stream",
    follow: async (_server, _session, { uris, notified, signal }: UpdateListener) => {
      followed.push(uris());
      said.push((uri) => notified("notifications/resources/updated", { uri }));
      const stream: Stream = {
        uris,
        signal,
        acknowledge: () => notified("notifications/subscriptions/acknowledged", { uri: "" }),
        refuse: () => undefined,
      };
      streams.push(stream);
      await new Promise<void>((resolve) => {
        stream.refuse = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
    unfollow: async (_server, _session, uri) => void left.push(uri),
  };
  const listeners = { resourceUpdated: (_: string, uri: string) => void updated.push(uri) };
  return { streams, subscriptions: new Subscriptions(upstreams, listeners), followed, left, said, updated };
}

test("a session has a limit of subscriptions, which does not affect other sessions", () => {
  const { subscriptions } = start();
  for (let n = 0; n < 256; n += 1) subscriptions.add(sessionOf("s"), server, `a:${n}`);
  assert.throws(() => subscriptions.add(sessionOf("s"), server, "a:256"), { code: "OVERLOADED" });
  subscriptions.add(sessionOf("s"), server, "a:0");
  subscriptions.add(sessionOf("t"), server, "a:256");
  assert.equal(subscriptions.size, 257);
  subscriptions.forget("s");
  assert.equal(subscriptions.size, 1);
});

test("a principal's sessions follow on so many streams of servers, and two principals that take all they may leave the third one", () => {
  const { subscriptions } = start();
  for (let n = 0; n < 32; n += 1) subscriptions.add(sessionOf(`s${n % 8}`), namedServer(`server ${n >> 3}`), "a:1");
  assert.throws(() => subscriptions.add(sessionOf("s0"), namedServer("another"), "a:1"), { code: "OVERLOADED" });
  assert.equal(subscriptions.size, 32, "what was refused leaves nothing");
  subscriptions.add(sessionOf("s0"), namedServer("server 0"), "a:2");
  subscriptions.add(sessionOf("s0"), namedServer("a child", "stdio"), "a:1");
  for (let n = 0; n < 16; n += 1) subscriptions.add(sessionOf(`t${n}`, "bob"), namedServer("old", "http-sse"), "a:1");
  assert.throws(() => subscriptions.add(sessionOf("t16", "bob"), server, "a:1"), { code: "OVERLOADED" });
  subscriptions.add(sessionOf("u", "carol"), server, "a:1");
  assert.equal(subscriptions.streams, 49);
  subscriptions.remove(sessionOf("s7"), namedServer("server 3"), "a:1");
  subscriptions.remove(sessionOf("s7"), namedServer("server 3"), "a:1");
  for (let n = 0; n < 16; n += 1) subscriptions.forget(`t${n}`);
  subscriptions.forget("t0");
  assert.equal(subscriptions.streams, 32);
  subscriptions.add(sessionOf("s0"), namedServer("another"), "a:1");
  assert.equal(subscriptions.streams, 33);
});

test("one unsubscribe ends a subscription that was made twice, at the server too", () => {
  const { subscriptions, followed, left } = start();
  subscriptions.add(sessionOf("s"), server, "a:1");
  subscriptions.add(sessionOf("s"), server, "a:1");
  subscriptions.remove(sessionOf("s"), server, "a:1");
  subscriptions.remove(sessionOf("s"), server, "a:1");
  assert.deepEqual([subscriptions.size, left, followed], [0, ["a:1"], [["a:1"]]]);
});

test("a subscription lasts until the last stream that names it ends, whoever unsubscribes meanwhile", () => {
  const { subscriptions, left } = start();
  const [one, other] = [new AbortController(), new AbortController()];
  for (const { signal } of [one, other]) {
    subscriptions.add(sessionOf("s"), server, "a:1");
    subscriptions.assignToStream(sessionOf("s"), { server, uri: "a:1" }, signal);
  }
  subscriptions.remove(sessionOf("s"), server, "a:1");
  one.abort();
  assert.deepEqual([subscriptions.size, left], [1, []]);
  other.abort();
  assert.deepEqual([subscriptions.size, left], [0, ["a:1"]]);
  subscriptions.add(sessionOf("s"), server, "a:2");
  subscriptions.assignToStream(sessionOf("s"), { server, uri: "a:2" }, other.signal);
  assert.equal(subscriptions.size, 0, "that stream had ended already");
});

test("a session's own subscription does not end with a stream", () => {
  const { subscriptions, left } = start();
  const stream = new AbortController();
  subscriptions.assignToStream(sessionOf("s"), { server, uri: "a:1" }, stream.signal);
  subscriptions.add(sessionOf("s"), server, "a:1");
  stream.abort();
  assert.deepEqual([subscriptions.size, left], [1, []]);
});

test("updates of other resources are ignored", () => {
  const { subscriptions, said, updated } = start();
  subscriptions.add(sessionOf("s"), server, "a:1");
  said[0]?.("a:2");
  said[0]?.("a:1");
  assert.deepEqual(updated, ["a:1"]);
});

const open = (streams: readonly Stream[]): number[] =>
  streams.flatMap(({ signal }, index) => (signal.aborted ? [] : [index]));

test("over HTTP the old update stream stays open until the new one is acknowledged", () => {
  const { subscriptions, streams, said, updated } = start();
  for (const uri of ["a:1", "a:2", "a:3"]) subscriptions.add(sessionOf("s"), server, uri);
  assert.deepEqual(open(streams), [0, 2], "never more than two");
  said[0]?.("a:1");
  assert.deepEqual(updated, ["a:1"]);
  streams[1]?.acknowledge();
  streams[0]?.acknowledge();
  assert.deepEqual(open(streams), [0, 2]);
  streams[2]?.acknowledge();
  streams[2]?.acknowledge();
  assert.deepEqual(open(streams), [2]);
  subscriptions.remove(sessionOf("s"), server, "a:1");
  streams[3]?.acknowledge();
  assert.deepEqual([open(streams), streams[3]?.uris()], [[3], ["a:2", "a:3"]]);
});

test("a server that tells on one stream keeps it, and is asked for all that is followed when it is opened again", () => {
  const { subscriptions, streams, left } = start("one stream");
  for (const uri of ["a:1", "a:2", "a:3"]) subscriptions.add(sessionOf("s"), server, uri);
  subscriptions.remove(sessionOf("s"), server, "a:1");
  assert.deepEqual([streams.length, open(streams), streams[0]?.uris(), left], [1, [0], ["a:2", "a:3"], ["a:1"]]);
  for (const uri of ["a:2", "a:3"]) subscriptions.remove(sessionOf("s"), server, uri);
  assert.deepEqual(open(streams), []);
});

test("a server that offered no stream is asked again at the next subscription", async () => {
  for (const way of ["a stream each", "one stream"] as const) {
    const { subscriptions, streams } = start(way);
    subscriptions.add(sessionOf("s"), server, "a:1");
    streams[0]?.refuse();
    await new Promise((resolve) => setImmediate(resolve));
    subscriptions.add(sessionOf("s"), server, "a:2");
    assert.deepEqual([streams.length, streams[1]?.uris(), streams[1]?.signal.aborted], [2, ["a:1", "a:2"], false], way);
  }
});

test("on a channel, what a session follows changes without a second stream; nothing is left of one when nothing is followed", () => {
  const { subscriptions, streams } = start();
  for (const uri of ["a:1", "a:2"]) subscriptions.add(sessionOf("s"), namedServer("child", "stdio"), uri);
  assert.deepEqual(open(streams), [1]);
  for (const uri of ["b:1", "b:2"]) subscriptions.add(sessionOf("s"), server, uri);
  for (const uri of ["b:1", "b:2"]) subscriptions.remove(sessionOf("s"), server, uri);
  assert.deepEqual(open(streams), [1]);
  subscriptions.forget("s");
  assert.deepEqual(open(streams), []);
});

test("subscriptions that are not to be kept end at once, whoever asked for them, and their server hears of it", async () => {
  const { subscriptions, streams, left } = start();
  const session = sessionOf("s");
  const stream = new AbortController();
  subscriptions.add(session, server, "a:1");
  subscriptions.add(session, server, "a:2");
  subscriptions.assignToStream(session, { server, uri: "a:2" }, stream.signal);
  subscriptions.keepOnly((_, uri) => uri === "a:1");
  assert.deepEqual([subscriptions.followedUris(session, server), left], [["a:1"], ["a:2"]]);
  subscriptions.keepOnly(() => false);
  assert.deepEqual([subscriptions.size, subscriptions.streams, left], [0, 0, ["a:2", "a:1"]]);
  assert.ok(streams.every(({ signal }) => signal.aborted));
  stream.abort();
  assert.equal(left.length, 2, "a stream that ends later ends nothing more");
});
