import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { canonicalHash } from "./canonical-hash.ts";
import { Transcript } from "./transcript.ts";

const messages = fc
  .array(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }), { maxLength: 5 })
  .map((items) => JSON.parse(JSON.stringify(items)) as JsonObject[]);

test("the digest is that of the canonical array, at every point", () => {
  fc.assert(
    fc.property(messages, (items) => {
      const transcript = new Transcript();
      assert.equal(transcript.digest(), canonicalHash([]));
      for (const [index, item] of items.entries()) {
        transcript.add(item);
        assert.equal(transcript.digest(), canonicalHash(items.slice(0, index + 1)));
      }
      assert.equal(transcript.length, items.length);
    }),
  );
});

test("order counts, and where one message ends", () => {
  const of = (...items: JsonObject[]): string => {
    const transcript = new Transcript();
    for (const item of items) transcript.add(item);
    return transcript.digest();
  };
  assert.notEqual(of({ a: 1 }, { b: 2 }), of({ b: 2 }, { a: 1 }));
  assert.notEqual(of({ a: 1 }, { b: 2 }), of({ a: 1, b: 2 }));
});
