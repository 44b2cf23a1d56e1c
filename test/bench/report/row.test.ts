import assert from "node:assert/strict";
import { test } from "node:test";
import { atLeast, atMost, figure } from "./row.ts";
import { table } from "./table.ts";

test("a figure of rounds is their median, with the lowest and the highest beside it", () => {
  const row = figure("p50", [3, 1, 2], "ms", "");
  assert.deepEqual([row.value, row.spread], [2, [1, 3]]);
  assert.match(table("Title", [row]), /p50 {2}2 \(1 to 3\) ms/);
});

test("the median is held to the bound", () => {
  assert.equal(atMost("ratio", { value: [1, 2, 9], bound: 2 }, "×", "").met, true);
  assert.equal(atMost("ratio", { value: [1, 3, 3], bound: 2 }, "×", "").met, false);
  assert.equal(atLeast("claims", { value: 9, bound: 10 }, "", "").met, false);
});
