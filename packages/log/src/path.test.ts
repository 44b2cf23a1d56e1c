import assert from "node:assert/strict";
import { test } from "node:test";
import { leafInput, nodeInput, siblingSides } from "./path.ts";

test("from each place a path of one length leads to the head, and one of no other length does", () => {
  for (let size = 1; size <= 70; size += 1) {
    for (let index = 0; index < size; index += 1) {
      const lengths = Array.from({ length: 12 }, (_, length) => length).filter(
        (length) => siblingSides(index, size, length) !== undefined,
      );
      assert.equal(lengths.length, 1, `${index} of ${size}: ${lengths.join()}`);
      assert.equal(siblingSides(index, size, lengths[0] ?? 0)?.length, lengths[0]);
    }
    assert.equal(siblingSides(size, size, 0), undefined);
  }
});

test("a leaf is hashed behind a zero, a node behind a one", () => {
  assert.deepEqual(leafInput(Uint8Array.of(7, 8)), Uint8Array.of(0, 7, 8));
  assert.deepEqual(leafInput(new Uint8Array()), Uint8Array.of(0));
  assert.deepEqual(nodeInput(Uint8Array.of(7, 8), Uint8Array.of(9)), Uint8Array.of(1, 7, 8, 9));
});

test("places of a large log have their sides too, and a place that cannot be has none", () => {
  const size = 2 ** 48;
  assert.deepEqual(siblingSides(0, size, 48), Array(48).fill("right"));
  assert.deepEqual(siblingSides(size - 1, size, 48), Array(48).fill("left"));
  assert.deepEqual(siblingSides(size - 2, size - 1, 47), ["left", ...Array(46).fill("left")]);
  assert.equal(siblingSides(size - 1, size, 47), undefined);
  for (const [index, of] of [
    [-1, 1],
    [0.5, 1],
    [0, 1.5],
    [0, 0],
    [0, 2 ** 49],
    [Number.NaN, 1],
  ] as const)
    assert.equal(siblingSides(index, of, 0), undefined);
});
