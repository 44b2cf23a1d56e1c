import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { canonicalText, type JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { Transcript } from "./transcript.ts";

const messages = fc
  .array(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }), { maxLength: 5 })
  .map((items) => JSON.parse(JSON.stringify(items)) as JsonObject[]);

const transcriptAfter = (before: string): Transcript => new Transcript(() => createHash("sha256").update(before));

function digestOf(before: string, items: readonly JsonObject[]): string {
  return `sha256:${createHash("sha256").update(before).update(canonicalText(items)).digest("hex")}`;
}

test("the digest is that of what stands before and the canonical array, at every point", () => {
  fc.assert(
    fc.property(messages, fc.string(), (items, before) => {
      const transcript = transcriptAfter(before);
      assert.equal(transcript.digest(), digestOf(before, []));
      for (const [index, item] of items.entries()) {
        transcript.add(item);
        assert.equal(transcript.digest(), digestOf(before, items.slice(0, index + 1)));
      }
      assert.equal(transcript.length, items.length);
    }),
  );
});

test("a message that is taken back was never in it, unless another follows", () => {
  fc.assert(
    fc.property(messages, messages, fc.integer({ min: 0, max: 200 }), (items, others, room) => {
      const [one, same] = [0, 1].map(() => new Transcript(() => createHash("sha256"), room)) as [
        Transcript,
        Transcript,
      ];
      for (const item of items) for (const transcript of [one, same]) transcript.add(item);
      for (const other of others) one.add(other)();
      assert.deepEqual([one.digest(), one.length, one.text], [same.digest(), same.length, same.text]);
      const takeBack = one.add({ a: 1 });
      one.add({ b: 2 });
      takeBack();
      assert.equal(one.length, items.length + 2);
    }),
  );
});

test("the array is kept where it has room, and dropped as soon as it has none", () => {
  const hash = () => createHash("sha256");
  const [first, second] = [{ a: 1 }, { b: 2 }];
  const kept = new Transcript(hash, 100);
  assert.equal(kept.text, null);
  for (const message of [first, second]) kept.add(message);
  assert.equal(kept.text, canonicalText([first, second]));
  const full = new Transcript(hash, canonicalText([first]).length);
  full.add(first);
  assert.equal(full.text, canonicalText([first]));
  full.add(second);
  assert.deepEqual([full.text, full.length], [null, 2]);
  assert.equal(full.digest(), kept.digest());
  const never = new Transcript(hash);
  never.add(first);
  assert.equal(never.text, null);
});

test("order counts, and where one message ends", () => {
  const of = (...items: JsonObject[]): string => {
    const transcript = transcriptAfter("");
    for (const item of items) transcript.add(item);
    return transcript.digest();
  };
  assert.notEqual(of({ a: 1 }, { b: 2 }), of({ b: 2 }, { a: 1 }));
  assert.notEqual(of({ a: 1 }, { b: 2 }), of({ a: 1, b: 2 }));
});
