import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkBudget } from "./work-budget.ts";

test("units are taken as long as there are enough, and not in part", () => {
  const budget = new WorkBudget(10);
  assert.deepEqual([budget.take(4), budget.take(7), budget.left, budget.complete], [true, false, 6, false]);
  assert.deepEqual([budget.take(6), budget.take(0), budget.take(1), budget.left], [true, true, false, 0]);
  assert.deepEqual([new WorkBudget(-1).left, new WorkBudget().left], [0, 8 * 1024 * 1024]);
});

test("of a text as much of its start is given as there are units for", () => {
  const budget = new WorkBudget(5);
  assert.deepEqual([budget.takeText("abc"), budget.left, budget.complete], ["abc", 2, true]);
  assert.deepEqual([budget.takeText("de"), budget.left, budget.complete], ["de", 0, true]);
  assert.deepEqual([budget.takeText("f"), budget.left, budget.complete], ["", 0, false]);
});

test("what is left for another reason makes the look incomplete", () => {
  const budget = new WorkBudget(5);
  budget.abandon();
  assert.deepEqual([budget.left, budget.complete], [5, false]);
});
