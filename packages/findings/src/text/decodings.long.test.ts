import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { WorkBudget } from "../work-budget.ts";
import { decodedTexts } from "./decodings.ts";

const SIZE = 2 * 1024 * 1024;
/** Milliseconds for one look at 2 MB on a slow, shared machine; a quadratic pass takes minutes. */
const BOUND = 5000;

let nested = "the vault code is 4711-0815 ".repeat(1000);
while (nested.length < SIZE) nested = btoa(nested);

for (const [what, text] of [
  ["one letter", "a".repeat(SIZE)],
  ["one digit", "4".repeat(SIZE)],
  ["percent signs", "%".repeat(SIZE)],
  ["percent-encoded percent signs", "%25".repeat(SIZE / 3)],
  ["backslashes", "\\".repeat(SIZE)],
  ["ampersands", "&amp;".repeat(SIZE / 5)],
  ["runs one short of being decoded", `${"a".repeat(15)} `.repeat(SIZE / 16)],
  ["lines one short of being joined", `${"a".repeat(59)}\n`.repeat(SIZE / 60)],
  ["slashes", "aaaaaaaaaaaaaaaa/".repeat(SIZE / 17)],
  ["zero-width characters", "\u200b".repeat(SIZE)],
  ["encodings inside one another", nested],
] as const) {
  test(`2 MB of ${what} take bounded time`, () => {
    const start = performance.now();
    const budget = new WorkBudget();
    decodedTexts(text, budget);
    assert.ok(performance.now() - start < BOUND);
    assert.ok(budget.left >= 0);
  });
}
