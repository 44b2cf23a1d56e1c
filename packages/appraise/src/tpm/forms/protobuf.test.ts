import assert from "node:assert/strict";
import { test } from "node:test";
import { protobufFields } from "./protobuf.ts";

const MALFORMED = { code: "EVIDENCE_MALFORMED" };
const fields = (...bytes: readonly number[]) => protobufFields(Uint8Array.from(bytes), "a message");

test("a message is its fields in order: numbers, and bytes of a given or a fixed length", () => {
  assert.deepEqual(fields(), []);
  assert.deepEqual(fields(0x08, 0x96, 0x01, 0x12, 2, 7, 8, 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x08, 0), [
    { number: 1, value: 150 },
    { number: 2, value: Uint8Array.of(7, 8) },
    { number: 3, value: Uint8Array.of(1, 2, 3, 4) },
    { number: 4, value: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
    { number: 1, value: 0 },
  ]);
  assert.deepEqual(fields(0x80, 0x01, 0x7f), [{ number: 16, value: 127 }]);
});

test("a number has at most 10 bytes, a message at most 256 fields", () => {
  assert.equal(fields(0x08, ...Array.from({ length: 9 }, () => 0x80), 0x00)[0]?.value, 0);
  assert.throws(() => fields(0x08, ...Array.from({ length: 10 }, () => 0x80), 0x00), {
    ...MALFORMED,
    message: /more than 10 bytes/,
  });
  const many = (count: number): number[] => Array.from({ length: count }, () => [0x08, 1]).flat();
  assert.equal(fields(...many(256)).length, 256);
  assert.throws(() => fields(...many(257)), { ...MALFORMED, message: /more than 256 fields/ });
});

test("groups, lengths beyond the end and cut fields are refused", () => {
  for (const bytes of [
    [0x0b],
    [0x0c],
    [0x0e, 0],
    [0x0f, 0],
    [0x0a, 1],
    [0x0a],
    [0x08],
    [0x0d, 1, 2, 3],
    [0x09, 1, 2, 3, 4, 5, 6, 7],
  ])
    assert.throws(() => fields(...bytes), MALFORMED, bytes.join(" "));
});
