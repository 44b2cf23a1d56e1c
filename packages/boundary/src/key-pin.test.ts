import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { toBase64 } from "./encoding.ts";
import { readKeyPin } from "./key-pin.ts";

test("a pin of 32 bytes is read, padded or not", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const text = `SHA256:${toBase64(bytes)}`;
      assert.deepEqual(readKeyPin(text), Uint8Array.from(bytes));
      assert.deepEqual(readKeyPin(text.slice(0, -1)), Uint8Array.from(bytes));
    }),
  );
});

test("any other text is none", () => {
  const zeros = "A".repeat(43);
  assert.ok(readKeyPin(`SHA256:${zeros}`));
  const other = [
    "",
    zeros,
    `sha256:${zeros}`,
    `SHA256:${zeros}==`,
    `SHA256:${zeros}A`,
    `SHA256:${zeros.slice(1)}`,
    `SHA256:${zeros.slice(1)}B`,
    `SHA256:${"-".repeat(43)}`,
    ` SHA256:${zeros}`,
    `SHA256:${zeros}\n`,
  ];
  for (const text of other) assert.equal(readKeyPin(text), undefined, JSON.stringify(text));
});
