import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { eachFingerprint, eachGram, GRAM, hashValue, WINDOW } from "./fingerprints.ts";
import { FlowKey } from "./flow-key.ts";

const key = new FlowKey();
const lettersFrom = (text: string): Uint16Array => Uint16Array.from(text, (letter) => letter.charCodeAt(0));
const letters = fc
  .array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 120, size: "max" })
  .map((all) => lettersFrom(all.join("")));

function gramsOf(text: Uint16Array): string[] {
  const grams: string[] = [];
  eachGram(text, key, (hash, check, start) => (grams[start] = `${hash}:${check}`));
  return grams;
}
function startsOf(text: Uint16Array): number[] {
  const starts: number[] = [];
  eachFingerprint(text, key, (_hash, _check, start) => starts.push(start));
  return starts;
}

test("a gram's hash depends on its letters alone", () => {
  fc.assert(
    fc.property(letters, (text) => {
      const grams = gramsOf(text);
      assert.equal(grams.length, Math.max(0, text.length - GRAM + 1));
      for (const [start, gram] of grams.entries()) assert.equal(gram, gramsOf(text.subarray(start, start + GRAM))[0]);
    }),
  );
});

test("the order of letters counts", () => {
  assert.notEqual(gramsOf(lettersFrom("abcdefghijklmnop"))[0], gramsOf(lettersFrom("bacdefghijklmnop"))[0]);
});

test("every window of grams has a fingerprint, and it is one of the text's grams", () => {
  fc.assert(
    fc.property(letters, (text) => {
      const starts = startsOf(text);
      const grams = gramsOf(text);
      assert.equal(new Set(starts).size, starts.length);
      if (grams.length > 0) assert.ok(starts.length > 0);
      for (let from = 0; from + WINDOW <= grams.length; from += 1)
        assert.ok(starts.some((start) => start >= from && start < from + WINDOW));
      eachFingerprint(text, key, (hash, check, start) => assert.equal(`${hash}:${check}`, grams[start]));
    }),
  );
});

test("the fingerprint of each window is its least hash, and so is that of a shorter text", () => {
  fc.assert(
    fc.property(letters, (text) => {
      const hashes: number[] = [];
      eachGram(text, key, (hash, _check, start) => (hashes[start] = hash));
      const least: number[] = [];
      eachFingerprint(text, key, (hash) => least.push(hash));
      const windows = Array.from({ length: Math.max(1, hashes.length - WINDOW + 1) }, (_, from) =>
        Math.min(...hashes.slice(from, from + WINDOW)),
      );
      assert.deepEqual(new Set(least), new Set(hashes.length === 0 ? [] : windows));
      if (hashes.length <= WINDOW) assert.ok(least.length <= 1);
    }),
  );
});

test("a text of one letter has one fingerprint for each window", () => {
  assert.equal(startsOf(lettersFrom("a".repeat(GRAM - 1 + 800))).length, 100);
});

test("a value and a gram of the same letters have other hashes, and so have values that differ", () => {
  const seen = new Set(gramsOf(lettersFrom("abcdefghijklmnop")));
  for (const value of ["abcdefghijklmnop", "abcdefghijklmno", "bacdefghijklmnop", "", "a", "aa"])
    hashValue(lettersFrom(value), key, (hash, check) => seen.add(`${hash}:${check}`));
  assert.equal(seen.size, 7);
});
