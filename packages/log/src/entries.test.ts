import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeEntries, encodeEntries, MAX_ENTRIES_BYTES } from "./entries.ts";

const MALFORMED = { code: "LOG_EXPORT_MALFORMED" };

test("a bundle is each leaf behind its length", () => {
  const leaves = [Uint8Array.of(7), new Uint8Array(), Uint8Array.of(8, 9)];
  assert.deepEqual(encodeEntries(leaves), Uint8Array.of(0, 1, 7, 0, 0, 0, 2, 8, 9));
  assert.deepEqual(encodeEntries([new Uint8Array(258)]).subarray(0, 2), Uint8Array.of(1, 2));
});

test("a bundle gives its leaves back, and no other number of them", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 256 }), (leaves) => {
      const bytes = encodeEntries(leaves);
      assert.deepEqual(decodeEntries(bytes, leaves.length), leaves);
      assert.throws(() => decodeEntries(bytes, leaves.length + 1), MALFORMED);
      if (leaves.length > 0) assert.throws(() => decodeEntries(bytes, leaves.length - 1), MALFORMED);
    }),
  );
});

test("any bytes are either the one bundle of their leaves or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(8), (bytes, width) => {
      let leaves: Uint8Array[];
      try {
        leaves = decodeEntries(bytes, width);
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, "LOG_EXPORT_MALFORMED");
        return;
      }
      assert.deepEqual(encodeEntries(leaves), bytes);
    }),
  );
});

test("a bundle that is cut off anywhere is refused", () => {
  const bytes = encodeEntries([Uint8Array.of(1, 2, 3), Uint8Array.of(4)]);
  for (let length = 0; length < bytes.length; length += 1)
    assert.throws(() => decodeEntries(bytes.subarray(0, length), 2), MALFORMED);
});

test("what has no form in a bundle is refused", () => {
  assert.throws(() => encodeEntries([new Uint8Array(65_536)]), MALFORMED);
  assert.throws(() => encodeEntries(Array.from({ length: 257 }, () => new Uint8Array())), MALFORMED);
  assert.equal(encodeEntries(Array.from({ length: 256 }, () => new Uint8Array(65_535))).length, MAX_ENTRIES_BYTES);
});
