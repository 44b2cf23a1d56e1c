import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MAX_SHARED, Slots } from "./slots.ts";

function sourcesOf(slots: Slots, hash: number, check: number): number[] {
  const found = new Uint16Array(MAX_SHARED);
  return Array.from(found.subarray(0, slots.sourcesOf(hash, check, found))).sort((a, b) => a - b);
}

test("a hash has the sources that were kept for it and its check, zero as any other", () => {
  const hash = fc.constantFrom(0, 2, 64, 66, 0xffff_ffff);
  const kept = fc.array(fc.record({ hash, check: fc.constantFrom(0, 1, 0xffff), source: fc.nat(3) }), {
    maxLength: 80,
  });
  fc.assert(
    fc.property(kept, (all) => {
      const slots = new Slots(128);
      const known = new Map<string, Set<number>>();
      for (const { hash: key, check, source } of all) {
        assert.ok(slots.add(key, check, source));
        const name = `${key}:${check}`;
        known.set(name, (known.get(name) ?? new Set()).add(source));
      }
      for (const { hash: key, check } of all)
        assert.deepEqual(
          sourcesOf(slots, key, check),
          [...(known.get(`${key}:${check}`) ?? [])].sort((a, b) => a - b),
        );
      assert.equal(
        slots.used,
        [...known.values()].reduce((sum, { size }) => sum + size, 0),
      );
      assert.deepEqual(sourcesOf(slots, 3, 0), []);
    }),
  );
});

test("three quarters are filled, and what is there stays", () => {
  const slots = new Slots(64);
  for (let hash = 1; hash <= 48; hash += 1) assert.ok(slots.add(hash, 7, 1));
  assert.equal(slots.add(49, 7, 1), false);
  assert.equal(slots.add(48, 7, 1), true, "it is kept");
  assert.equal(slots.used, 48);
  for (let hash = 1; hash <= 48; hash += 1) assert.deepEqual(sourcesOf(slots, hash, 7), [1]);
});

test(`a hash is kept for ${MAX_SHARED} sources, and for no more`, () => {
  const slots = new Slots(64);
  for (let source = 0; source <= MAX_SHARED; source += 1) assert.ok(slots.add(5, 7, source));
  assert.equal(slots.used, 16);
  for (const source of [0, 1]) assert.ok(slots.add(5, 8, source), "another check");
  assert.deepEqual(
    sourcesOf(slots, 5, 7),
    Array.from({ length: 16 }, (_, source) => source),
  );
  assert.deepEqual(sourcesOf(slots, 5, 8), [0, 1]);
});

test("the number of slots is a power of two, and four at least", () => {
  for (const count of [0, 1, 2, 3, 6, 100]) assert.throws(() => new Slots(count), RangeError);
  assert.equal(new Slots(4).add(1, 1, 1), true);
});
