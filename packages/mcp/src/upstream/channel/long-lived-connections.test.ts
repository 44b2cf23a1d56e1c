import assert from "node:assert/strict";
import { test } from "node:test";
import { LongLivedConnections, type LongLivedConnection } from "./long-lived-connections.ts";

/** Opens connections by name, and keeps which were closed for others. */
function start(max: number): { closed: string[]; open: (name: string, holder?: string) => LongLivedConnection } {
  const connections = new LongLivedConnections(max);
  const closed: string[] = [];
  return { closed, open: (name, holder = "one") => connections.open(holder, () => void closed.push(name)) };
}

test("who needs a connection gets the place of the one that was idle longest, and nobody that of one in use", () => {
  const { closed, open } = start(3);
  const [first, second] = [open("a"), open("b"), open("c")];
  first.use();
  second.use();
  second.rest();
  open("d");
  open("e");
  assert.deepEqual(closed, ["c", "b"]);
  // It has lost its place already.
  second.use();
  second.rest();
  first.rest();
  open("f").end();
  assert.deepEqual(closed, ["c", "b", "d"]);
  open("g");
  assert.deepEqual(closed, ["c", "b", "d"], "what has ended made room");
});

test("two holders that use every connection they may leave the third one", () => {
  const { closed, open } = start(16);
  const used = (holder: string): number => {
    for (let n = 0; ; n += 1) {
      try {
        open(holder, holder).use();
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, "OVERLOADED");
        return n;
      }
    }
  };
  assert.deepEqual([used("a"), used("b"), closed], [8, 4, []]);
  open("c", "c").use();
  assert.deepEqual(closed, []);
});

test("idle connections of the holder that has most give way first", () => {
  const { closed, open } = start(4);
  open("b1", "b");
  for (const name of ["a1", "a2", "a3"]) open(name, "a");
  open("c1", "c");
  assert.deepEqual(closed, ["a1"]);
});

test("a connection that is idle cannot be used beyond its holder's share", () => {
  const { open } = start(4);
  const own = [open("a1", "a"), open("a2", "a"), open("a3", "a")];
  own[0]?.use();
  own[1]?.use();
  assert.throws(() => own[2]?.use(), { code: "OVERLOADED", detail: { sent: 0 } });
  own[0]?.rest();
  own[2]?.use();
});

test("who is refused a connection takes none from anybody", () => {
  const { closed, open } = start(4);
  for (const name of ["a1", "a2"]) open(name, "a").use();
  for (const name of ["b1", "b2"]) open(name, "b");
  assert.throws(() => open("a3", "a"), { code: "OVERLOADED" });
  assert.deepEqual(closed, []);
});
