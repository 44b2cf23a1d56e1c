import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { LineSplitter } from "./lines.ts";

const line = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => bytes.map((byte) => (byte === 0x0a ? 0x0b : byte)));

test("any chunking of a stream gives the same lines", () => {
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 10 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (lines, sizes) => {
        const stream = Buffer.concat(lines.flatMap((one) => [one, Uint8Array.of(0x0a)]));
        const splitter = new LineSplitter(100);
        const found: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.byteLength; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          // A copy, as a reader's buffer may be used again.
          found.push(
            ...[...splitter.push(Uint8Array.from(stream.subarray(at, at + size)))].map((one) => Uint8Array.from(one)),
          );
          at += size;
        }
        assert.deepEqual(found, lines);
      },
    ),
  );
});

test("a line at the bound is one, and one byte more is refused before it ends", () => {
  const splitter = new LineSplitter(8);
  assert.deepEqual([...splitter.push(Buffer.from("12345678\n"))].map(String), [Buffer.from("12345678")].map(String));
  assert.throws(() => [...splitter.push(Buffer.from("123456789"))], {
    code: "RESPONSE_SIZE_EXCEEDED",
    detail: { limit: 8 },
  });
});

test("what was held counts towards the bound", () => {
  const splitter = new LineSplitter(8);
  assert.deepEqual([...splitter.push(Buffer.from("12345"))], []);
  assert.throws(() => [...splitter.push(Buffer.from("6789\n"))], { code: "RESPONSE_SIZE_EXCEEDED" });
});

test("empty lines are nothing", () => {
  assert.deepEqual(
    [...new LineSplitter(8).push(Buffer.from("\n\na\n\n"))].map((one) => Buffer.from(one).toString()),
    ["a"],
  );
});
