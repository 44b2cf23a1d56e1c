import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonObject } from "@cmcp/boundary";
import { isLarger } from "./size.ts";

const utf8 = (value: JsonObject): number => Buffer.byteLength(JSON.stringify(value));

/** Values whose text is long for what they are: control characters, numbers with exponent and sign, empty things. */
const longest: readonly JsonObject[] = [
  {},
  { a: [] },
  { "": "" },
  { a: "\u0001".repeat(50) },
  { ["\u0001".repeat(50)]: null },
  {
    a: [
      -1.234_567_890_123_456_7e-308, -1.797_693_134_862_315_7e308, 0.000_001_234_567_890_123_45,
      -123_456_789_012_345_680_000,
    ],
  },
  { a: Array.from({ length: 50 }, () => false) },
  { a: Array.from({ length: 50 }, () => "") },
  { a: "\u{1f600}€é".repeat(20) },
];

test("a result is larger than any limit below the bytes of its text, and than no other", () => {
  for (const value of longest) {
    const bytes = utf8(value);
    assert.equal(isLarger(value, bytes - 1), true, JSON.stringify(value));
    assert.equal(isLarger(value, bytes), false, JSON.stringify(value));
  }
});

test("whatever the result and the limit", () => {
  const result = fc
    .dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 4 }), { noNullPrototype: true })
    .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);
  fc.assert(
    fc.property(result, fc.integer({ min: -2, max: 2 }), fc.nat(2_000), (value, near, far) => {
      const bytes = utf8(value);
      for (const limit of [bytes + near, far]) assert.equal(isLarger(value, limit), bytes > limit);
    }),
    { numRuns: 1000 },
  );
});
