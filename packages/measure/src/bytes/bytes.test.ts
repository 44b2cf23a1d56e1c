import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { digestOf, extendAll } from "./digest.ts";
import { commandLineBytes, isAscii, MAX_COMMAND_LINE, utf16WithNul } from "./text.ts";
import { ByteView } from "./view.ts";

const INVALID = { code: "MEASURE_INPUT_INVALID" };

test("integers are little endian", () => {
  const view = new ByteView(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8), "sample");
  assert.deepEqual(
    [view.u8(1), view.u16(1), view.u32(1), view.u64(1), view.slice(7, 2)],
    [1, 0x0201, 0x04030201, 0x0807060504030201n, Uint8Array.of(7, 8)],
  );
});

test("no read leaves the bytes, whatever offset and length are asked for", () => {
  const number = fc.oneof(fc.integer({ min: -3, max: 40 }), fc.constantFrom(0.5, Number.NaN, Infinity, 2 ** 53, -0));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 32 }), number, number, (bytes, offset, length) => {
      const view = new ByteView(bytes, "sample");
      const inside =
        Number.isSafeInteger(offset) &&
        Number.isSafeInteger(length) &&
        offset >= 0 &&
        length >= 0 &&
        offset + length <= bytes.length;
      if (inside) assert.deepEqual(view.slice(offset, length), bytes.subarray(offset, offset + length));
      else assert.throws(() => view.slice(offset, length), INVALID);
      for (const [size, read] of [
        [1, () => view.u8(offset)],
        [2, () => view.u16(offset)],
        [4, () => view.u32(offset)],
        [8, () => view.u64(offset)],
      ] as const) {
        if (Number.isSafeInteger(offset) && offset >= 0 && offset + size <= bytes.length) read();
        else assert.throws(read, INVALID);
      }
    }),
  );
});

test("a register extends in order and starts as zeros of its bank's length", () => {
  const [a, b] = [digestOf("sha256", Uint8Array.of(1)), digestOf("sha256", Uint8Array.of(2))];
  assert.equal(extendAll("sha256", []), "00".repeat(32));
  assert.equal(extendAll("sha384", []), "00".repeat(48));
  const once = digestOf("sha256", new Uint8Array(32), a);
  assert.equal(extendAll("sha256", [a, b]), Buffer.from(digestOf("sha256", once, b)).toString("hex"));
  assert.notEqual(extendAll("sha256", [a, b]), extendAll("sha256", [b, a]));
});

test("a command line is text that the kernel takes whole", () => {
  assert.deepEqual(commandLineBytes("a=ü"), new TextEncoder().encode("a=ü"));
  assert.equal(commandLineBytes("x".repeat(MAX_COMMAND_LINE)).length, MAX_COMMAND_LINE);
  for (const text of ["x".repeat(MAX_COMMAND_LINE + 1), "ü".repeat(1024), "a\nb", "a\0", "\u007f", "a\u001f"])
    assert.throws(() => commandLineBytes(text), INVALID);
  assert.deepEqual(["", "a=~\u007f", "é", "a=\u0080", "€"].map(isAscii), [true, true, false, false, false]);
  assert.deepEqual([...utf16WithNul("aé")], [0x61, 0, 0xe9, 0, 0, 0]);
});
