import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as holds, constantFrom, nat, property, record } from "fast-check";
import { BufferedBytes, MAX_BUFFERED_BYTES } from "./index.ts";

const MAX = 1_000;
/** Whose the shares are: two of each holder's. */
const HOLDERS = ["a", "b", "c", "a", "b", "c"];

const step = record({
  act: constantFrom("take", "take", "release", "shrinkTo", "free"),
  n: nat(HOLDERS.length - 1),
  bytes: nat(700),
});

/** What is left of `held` after something was given back. */
function left(act: string, held: number, bytes: number): number {
  if (act === "release") return Math.max(0, held - bytes);
  return act === "shrinkTo" ? Math.min(held, bytes) : 0;
}

test("what is held is what was taken and not given, never more than the bound, and whoever comes next finds room", () => {
  holds(
    property(array(step, { maxLength: 60 }), (steps) => {
      const buffered = new BufferedBytes(MAX);
      const shares = HOLDERS.map((holder) => buffered.share(holder));
      const held = HOLDERS.map(() => 0);
      const freed = new Set<number>();
      for (const { act, n, bytes } of steps) {
        const share = shares[n];
        assert.ok(share !== undefined);
        if (act === "take" && !freed.has(n)) {
          const own = held.reduce((sum, one, other) => (HOLDERS[other] === HOLDERS[n] ? sum + one : sum), bytes);
          const fits = bytes === 0 || own <= MAX - (buffered.held + bytes);
          if (fits) share.take(bytes);
          else assert.throws(() => share.take(bytes), { code: "OVERLOADED" });
          held[n] = (held[n] ?? 0) + (fits ? bytes : 0);
        } else {
          if (act === "free") freed.add(n);
          share[act](bytes);
          held[n] = left(act, held[n] ?? 0, bytes);
        }
        assert.equal(
          buffered.held,
          held.reduce((sum, one) => sum + one, 0),
        );
        assert.ok(buffered.held < MAX);
        const newcomer = buffered.share("newcomer");
        newcomer.take(Math.floor((MAX - buffered.held) / 2));
        newcomer.free();
      }
      for (const share of shares) share.free();
      assert.equal(buffered.held, 0);
    }),
  );
});

test("alone a holder has half, with another a third; nothing is refused to who holds nothing more", () => {
  const buffered = new BufferedBytes(900);
  const [first, second, third] = [buffered.share("first"), buffered.share("second"), buffered.share("third")];
  first.take(450);
  assert.throws(() => first.take(1), { code: "OVERLOADED" });
  second.take(225);
  assert.throws(() => second.take(1), { code: "OVERLOADED" });
  third.take(100);
  first.release(250);
  second.take(75);
  assert.equal(buffered.held, 200 + 300 + 100);
  assert.equal(new BufferedBytes().max, MAX_BUFFERED_BYTES);
});

test("one share's bytes count for all of its holder's", () => {
  const buffered = new BufferedBytes(900);
  buffered.share("one").take(400);
  assert.throws(() => buffered.share("one").take(100), { code: "OVERLOADED" });
  buffered.share("other").take(100);
});

test("a share becomes another's with all it holds, or is refused to it and holds nothing", () => {
  const buffered = new BufferedBytes(900);
  const share = buffered.share("nobody");
  share.take(200);
  share.belongTo("one");
  assert.throws(() => buffered.share("one").take(300), { code: "OVERLOADED" });
  buffered.share("nobody").take(250);
  buffered.share("other").take(200);
  assert.throws(() => share.belongTo("other"), { code: "OVERLOADED" });
  assert.equal(buffered.held, 450);
});
