import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentMap } from "./recent-map.ts";

const keys = (map: RecentMap<number>): string => Array.from(map.entries(), ([key]) => key).join("");

test("what was used least recently gives way, and a value that is kept again does not count twice", () => {
  const map = new RecentMap<number>(2);
  assert.equal(map.set("a", 1), null);
  assert.equal(map.set("b", 2), null);
  assert.equal(map.get("a"), 1);
  assert.equal(map.set("a", 3), null);
  assert.equal(map.set("c", 4), 2);
  assert.equal(keys(map), "ac");
  assert.equal(map.get("b"), undefined);
  map.delete("a");
  assert.equal(map.set("d", 5), null);
});

test("what is busy stays, and where all is busy there is no room", () => {
  const busy = new Set([1]);
  const map = new RecentMap<number>(2, (value) => busy.has(value));
  map.set("a", 1);
  map.set("b", 2);
  assert.equal(map.set("c", 3), 2);
  busy.add(3);
  assert.equal(map.set("d", 4), "full");
  assert.equal(keys(map), "ac");
});
