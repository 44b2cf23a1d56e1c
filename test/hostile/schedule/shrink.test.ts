import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { shrink } from "./shrink.ts";

test("what is left fails, and does not without any one of its items", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 24 }),
      fc.array(fc.nat(1_000), { minLength: 1, maxLength: 4 }),
      async (items, chosen) => {
        const needed = new Set(chosen.map((at) => items[at % items.length]));
        const found = await shrink(
          items,
          (some) => Promise.resolve([...needed].every((one) => some.some((item) => item === one))),
          10_000,
        );
        assert.deepEqual(
          found,
          items.filter((item) => needed.has(item)),
        );
      },
    ),
  );
});

test("it asks no more often than it may, and gives what still fails", async () => {
  let asked = 0;
  const fails = (items: readonly number[]): Promise<boolean> => {
    asked += 1;
    return Promise.resolve(items.includes(7));
  };
  const found = await shrink(
    Array.from({ length: 64 }, (_, at) => at),
    fails,
    5,
  );
  assert.equal(asked, 5);
  assert.ok(found.includes(7));
});
