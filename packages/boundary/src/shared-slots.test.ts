import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SharedSlots } from "./index.ts";

/** Takes what a holder may have. @returns what gives each back */
function fill(slots: SharedSlots, holder: string): (() => void)[] {
  const taken: (() => void)[] = [];
  while (slots.isOpenTo(holder)) taken.push(slots.take(holder, "slots"));
  return taken;
}

test("two holders that take all they may leave the third, and many after it, a slot", () => {
  const slots = new SharedSlots(64, 32);
  const counts = ["a", "b", "c", "d", "e"].map((holder) => fill(slots, holder).length);
  assert.deepEqual(counts, [32, 16, 8, 1, 1]);
  assert.throws(() => slots.take("a", "test slots"), {
    code: "OVERLOADED",
    message: /test slots/,
    detail: { sent: 0 },
  });
  for (let n = 0; n < 6; n += 1) slots.take(`holder ${n}`, "slots");
  assert.equal(slots.taken, 64);
  assert.equal(slots.isOpenTo("one more"), false);
});

test("holders that give back and take again come to hold the same: the slots divided by their number and one", () => {
  const slots = new SharedSlots(256);
  const held = new Map(["a", "b", "c"].map((holder) => [holder, fill(slots, holder)]));
  assert.deepEqual(
    [...held.values()].map(({ length }) => length),
    [128, 64, 32],
  );
  for (let round = 0; round < 1_000; round += 1)
    for (const [holder, own] of held) {
      own.pop()?.();
      for (let n = 0; n < 2 && slots.isOpenTo(holder); n += 1) own.push(slots.take(holder, "slots"));
    }
  for (const holder of held.keys()) assert.ok(Math.abs(slots.heldBy(holder) - 64) <= 1, `${slots.heldBy(holder)}`);
});

test("no holder has more than its bound", () => {
  const slots = new SharedSlots(1_000, 3);
  assert.equal(fill(slots, "a").length, 3);
});

test("a slot is given back once", () => {
  const slots = new SharedSlots(8);
  const [first] = [slots.take("a", "slots"), slots.take("a", "slots")];
  first();
  first();
  assert.deepEqual([slots.taken, slots.heldBy("a")], [1, 1]);
});

test("in any order of taking and giving back, the bounds hold and two holders never shut the third out", () => {
  const step = fc.record({ holder: fc.constantFrom("a", "b"), gives: fc.boolean(), index: fc.nat(63) });
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 64 }), fc.array(step, { maxLength: 200 }), (max, steps) => {
      const slots = new SharedSlots(max);
      const held: Record<string, (() => void)[]> = { a: [], b: [] };
      for (const { holder, gives, index } of steps) {
        const own = held[holder] ?? [];
        if (gives) own.splice(index, 1)[0]?.();
        else if (slots.isOpenTo(holder)) own.push(slots.take(holder, "slots"));
        assert.equal(slots.heldBy(holder), own.length);
        assert.equal(slots.taken, slots.heldBy("a") + slots.heldBy("b"));
        assert.ok(slots.taken < max && slots.isOpenTo("c"));
      }
    }),
  );
});
