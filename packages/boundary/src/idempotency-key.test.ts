import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { formatIdempotencyKey, readIdempotencyKey } from "./idempotency-key.ts";

const RANDOM = "AAAAAAAAAAAAAAAAAAAAAA";

test("a key that was made is read again, with the size that it names", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), fc.uint8Array({ minLength: 16, maxLength: 32 }), (size, random) => {
      const text = formatIdempotencyKey(size, random);
      assert.deepEqual(readIdempotencyKey(text), { text, logSize: size });
      assert.ok(text.length <= 59);
    }),
  );
  assert.equal(readIdempotencyKey(`${2 ** 48}.${RANDOM}`)?.logSize, 2 ** 48, "the size of the largest log");
});

test("every text is a key of exact numbers and bounded length, or none", () => {
  const near = fc
    .tuple(fc.stringMatching(/^[-+0-9. e]{0,18}$/), fc.stringMatching(/^[A-Za-z0-9_=+/.-]{0,60}$/))
    .map(([size, random]) => `${size}.${random}`);
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => {
      const read = readIdempotencyKey(text);
      if (read === null) return;
      assert.ok(Number.isSafeInteger(read.logSize) && text.startsWith(`${read.logSize}.`));
      assert.ok(/^[A-Za-z0-9_-]{22,43}$/.test(text.slice(`${read.logSize}.`.length)));
    }),
  );
});

test("another form is no key", () => {
  for (const text of [
    "",
    RANDOM,
    `.${RANDOM}`,
    `01.${RANDOM}`,
    `-1.${RANDOM}`,
    `1e3.${RANDOM}`,
    `1.${RANDOM.slice(1)}`,
    `1.${"A".repeat(44)}`,
    `1.${RANDOM}=`,
    `1.${RANDOM}\n`,
    `1000000000000000.${RANDOM}`,
    `1.${RANDOM}.${RANDOM}`,
  ])
    assert.equal(readIdempotencyKey(text), null, text);
});

test("a key of too little or too much chance is not made, nor one of no log's size", () => {
  for (const length of [0, 15, 33]) assert.throws(() => formatIdempotencyKey(1, new Uint8Array(length)), RangeError);
  for (const size of [-1, 0.5, Number.NaN, 1e15, Number.POSITIVE_INFINITY])
    assert.throws(() => formatIdempotencyKey(size, new Uint8Array(16)), RangeError);
});
