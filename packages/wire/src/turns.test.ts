import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Turns } from "./turns.ts";

test("other work has as long as each piece took, before the next one runs", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 12 }), async (pieces) => {
      let now = 1_000;
      const slept: number[] = [];
      const turns = new Turns({
        now: () => now,
        sleep: (milliseconds) => {
          slept.push(milliseconds);
          now += milliseconds;
          return Promise.resolve();
        },
      });
      await Promise.all(
        pieces.map(async (took) => {
          await turns.next();
          now += took;
        }),
      );
      assert.deepEqual(slept, pieces.slice(0, -1));
    }),
  );
});

test("pieces run in the order in which they were asked for", async () => {
  const turns = new Turns();
  const ran: number[] = [];
  await Promise.all([0, 1, 2, 3].map((piece) => turns.next().then(() => ran.push(piece))));
  assert.deepEqual(ran, [0, 1, 2, 3]);
});
