/** What the engine holds prepared, and what gives way; alone in its file, because it is one for the process. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { PERMIT_ALL } from "../test-support.ts";
import { loadEngine, prepare, type EnginePlan } from "./engine.ts";
import type { Slice } from "./slice.ts";

/** Slices the engine holds at most, and policies of them together. */
const MAX_PREPARED_SLICES = 256;
const MAX_PREPARED_POLICIES = 20_000;

before(loadEngine);

const planOf = (policies: number): EnginePlan => ({
  schema: {},
  policies: Object.fromEntries(Array.from({ length: policies }, (_, index) => [`p${index}`, PERMIT_ALL])),
});
const sliceOf = (plan: EnginePlan, key: string): Slice => ({
  key,
  rules: () => Object.keys(plan.policies),
  schema: () => ({}),
});
/** Where a slice is, and whether it was put there just now. */
function place(plan: EnginePlan, key: string): { readonly name: string; readonly filling: number } {
  const { name, filling } = prepare(plan, sliceOf(plan, key));
  return { name, filling };
}

test("a slice stays where it is while it is used, and the one not used for longest gives way", () => {
  const plan = planOf(1);
  const first = place(plan, "0");
  const second = place(plan, "1");
  for (let index = 2; index < MAX_PREPARED_SLICES; index += 1) place(plan, `${index}`);
  assert.deepEqual(place(plan, "0"), first, "the last place is filled, and nothing has given way");
  const added = place(plan, "added");
  assert.equal(added.name, second.name, "the place of the one not used for longest is used again");
  assert.notEqual(added.filling, second.filling, "and told apart from what was there");
  assert.deepEqual(place(plan, "0"), first);
  const again = place(plan, "1");
  assert.notDeepEqual(again, second, "what gave way is prepared again");
  assert.notEqual(again.name, first.name);
});

test("two plans do not share a slice of one key", () => {
  const [one, other] = [planOf(1), planOf(1)];
  assert.notEqual(place(one, "shared").name, place(other, "shared").name);
});

test("policies are bounded together, and only as many slices give way as it takes", () => {
  const most = planOf(MAX_PREPARED_POLICIES - 1);
  const one = planOf(1);
  const large = place(most, "most");
  const small = place(one, "small");
  assert.deepEqual(place(most, "most"), large, "together they are just as many as there may be");
  assert.deepEqual(place(one, "small"), small);
  const more = place(one, "one more");
  assert.deepEqual(place(one, "small"), small, "what was used later stays");
  assert.deepEqual(place(one, "one more"), more);
  assert.notDeepEqual(place(most, "most"), large, "the large one gave way");
});
