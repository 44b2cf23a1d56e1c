/** Schedules of a lying host that are run every time: those that found something once, and some made by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runAlone } from "./run/alone.ts";
import { isHonest } from "./schedule/acts.ts";
import { readVectors } from "./schedule/vector.ts";

const vectors = await readVectors();

test("each schedule of test/hostile/vectors finds nothing", async (t) => {
  assert.ok(vectors.size > 0);
  for (const [name, vector] of vectors)
    await t.test(`${name}: ${vector.why}`, async () => {
      assert.equal(isHonest(vector), false, "a schedule without a lie belongs elsewhere");
      assert.deepEqual(await runAlone(vector), []);
    });
});
