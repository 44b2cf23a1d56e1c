import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteReader, bytesEqual, isZero } from "./byte-reader.ts";

const BYTES = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);

test("integers are read in the order asked for", () => {
  const little = new ByteReader(BYTES, "sample", "little");
  assert.deepEqual(
    [little.u8(), little.u16(), little.u32(), little.u64(), little.offset, little.remaining],
    [1, 0x0302, 0x07060504, 0x0f0e0d0c0b0a0908n, 15, 1],
  );
  const big = new ByteReader(BYTES, "sample", "big");
  assert.deepEqual([big.u8(), big.u16(), big.u32(), big.u64()], [1, 0x0203, 0x04050607, 0x08090a0b0c0d0e0fn]);
});

test("a reader of a view reads the view and not what lies around it", () => {
  const reader = new ByteReader(BYTES.subarray(4, 8), "sample", "big");
  reader.skip(1);
  assert.deepEqual([...reader.take(2)], [6, 7]);
  assert.throws(() => reader.u16(), { code: "EVIDENCE_MALFORMED", message: /sample is truncated/ });
  assert.throws(() => reader.end(), { code: "EVIDENCE_MALFORMED", message: /1 bytes too many/ });
  assert.equal(reader.u8(), 8);
  reader.end();
});

test("no read goes past the end, whatever lengths are asked for", () => {
  const lengths = fc.array(fc.oneof(fc.integer({ min: -2, max: 12 }), fc.constant(1.5), fc.constant(2 ** 40)), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), lengths, (bytes, wanted) => {
      const reader = new ByteReader(bytes, "sample", "little");
      for (const length of wanted) {
        const before = reader.offset;
        if (Number.isInteger(length) && length >= 0 && length <= reader.remaining)
          assert.deepEqual(reader.take(length), bytes.subarray(before, before + length));
        else assert.throws(() => reader.take(length), { code: "EVIDENCE_MALFORMED" });
        assert.equal(reader.offset + reader.remaining, bytes.length);
      }
    }),
  );
});

test("a reader starts at any offset of its structure, and an offset outside of it is refused", () => {
  const number = fc.oneof(fc.integer({ min: -3, max: 40 }), fc.constantFrom(0.5, Number.NaN, Infinity, 2 ** 53, -0));
  const fits = (wanted: number, room: number) => Number.isSafeInteger(wanted) && wanted >= 0 && wanted <= room;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 32 }), number, number, (bytes, offset, length) => {
      const reader = new ByteReader(bytes, "sample", "big", "MEASURE_INPUT_INVALID");
      const error = { code: "MEASURE_INPUT_INVALID", message: new RegExp(`not in its ${bytes.length} bytes$`) };
      const inside = fits(offset, bytes.length);
      if (inside && fits(length, bytes.length - offset))
        assert.deepEqual(reader.slice(offset, length), bytes.subarray(offset, offset + length));
      else assert.throws(() => reader.slice(offset, length), error);
      for (const [size, read] of [
        [1, () => BigInt(reader.at(offset).u8())],
        [2, () => BigInt(reader.at(offset).u16())],
        [4, () => BigInt(reader.at(offset).u32())],
        [8, () => reader.at(offset).u64()],
      ] as const) {
        if (inside && offset + size <= bytes.length)
          assert.equal(read(), BigInt(`0x${Buffer.from(bytes.subarray(offset, offset + size)).toString("hex")}`));
        else assert.throws(read, error);
      }
      if (inside) assert.deepEqual(reader.at(offset).rest(), bytes.subarray(offset));
      assert.deepEqual([reader.offset, reader.remaining], [0, bytes.length]);
    }),
  );
});

test("a reader ends where its structure ends, and throws the code it was made with", () => {
  const reader = new ByteReader(BYTES, "sample", "little", "WIRE_TRUNCATED");
  assert.throws(() => reader.at(15).end(), { code: "WIRE_TRUNCATED", message: "sample: 1 bytes too many" });
  assert.throws(() => reader.at(16).u8(), {
    code: "WIRE_TRUNCATED",
    message: "sample is truncated: 1 bytes at offset 16 are not in its 16 bytes",
  });
  reader.at(16).end();
});

test("bytes are equal when length and content are", () => {
  assert.ok(bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  for (const other of [Uint8Array.of(1), Uint8Array.of(1, 2, 0), Uint8Array.of(1, 3)])
    assert.ok(!bytesEqual(Uint8Array.of(1, 2), other));
  assert.ok(isZero(new Uint8Array(9)) && !isZero(Uint8Array.of(0, 1)));
});
