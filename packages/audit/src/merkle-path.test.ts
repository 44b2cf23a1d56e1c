import assert from "node:assert/strict";
import { test } from "node:test";
import { leafInput, nodeInput, siblingSides } from "./merkle-path.ts";

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
