import assert from "node:assert/strict";
import { test } from "node:test";
import { Caller } from "./caller.ts";
import { TokenBoundStreams } from "./token-bound-streams.ts";

/** Streams whose callers count while they are in `counted`. */
function start(): {
  streams: TokenBoundStreams;
  counted: Set<Caller>;
  ended: string[];
  open: (name: string) => { caller: Caller; left: AbortController };
} {
  const counted = new Set<Caller>();
  const ended: string[] = [];
  const streams = new TokenBoundStreams((caller) => counted.has(caller));
  const open = (name: string): { caller: Caller; left: AbortController } => {
    const caller = new Caller({ principalId: name, source: "bearer" }, null);
    const left = new AbortController();
    counted.add(caller);
    streams.add(
      caller,
      () => {
        ended.push(name);
        left.abort();
      },
      left.signal,
    );
    return { caller, left };
  };
  return { streams, counted, ended, open };
}

test("a stream ends within a second of its token, and no other stream does", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { streams, counted, ended, open } = start();
  const opened = ["alice", "bob", "carol"].map((name) => open(name).caller);
  t.mock.timers.tick(5_000);
  assert.deepEqual(ended, []);
  for (const caller of opened.slice(0, 2)) counted.delete(caller);
  t.mock.timers.tick(1_000);
  assert.deepEqual([ended, streams.size], [["alice", "bob"], 1]);
});

test("a stream whose token has already expired ends at once, and a stream that ended is not checked", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { streams, counted, ended, open } = start();
  const end = (): void => void ended.push("late");
  const leaving = new AbortController();
  streams.add(new Caller({ principalId: "late", source: "bearer" }, null), end, leaving.signal);
  assert.deepEqual(ended, ["late"]);
  leaving.abort();
  streams.add(new Caller({ principalId: "gone", source: "bearer" }, null), end, AbortSignal.abort());
  open("alice").left.abort();
  counted.clear();
  t.mock.timers.tick(5_000);
  assert.deepEqual([ended, streams.size], [["late"], 0]);
  const again = open("alice");
  counted.delete(again.caller);
  t.mock.timers.tick(1_000);
  assert.deepEqual(ended, ["late", "alice"], "the clock goes on with the next stream");
});
