import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { WorkBudget } from "@cmcp/findings";
import { identifiersOf } from "./identifiers.ts";
import { lettersOf } from "./letters.ts";

const plain = (text: string, budget = new WorkBudget()): string => String.fromCharCode(...lettersOf(text, budget));

test("case, spaces, punctuation, accents and what shows nothing are not compared", () => {
  const texts: readonly (readonly [string, string])[] = [
    ["Hello, World 42!", "helloworld42"],
    ["\uff28\uff45\uff4c\uff4c\uff4f", "hello"],
    ["re\u0301sume\u0301 r\u00e9sum\u00e9", "resumeresume"],
    ["a\u200bb\u00adc\u{e0041}d", "abcd"],
    ["\u{1d400}\u2460 \u{1f600}", "a1"],
    ["\u60a3\u8005 \u{20000}", "\u60a3\u8005\u{20000}"],
    ["first and last of the other planes: \u{10000}\u{3134a}", "firstandlastoftheotherplanes\u{10000}\u{3134a}"],
    ["\ud800a \udc00b \ud800", "ab"],
    ["", ""],
  ];
  for (const [text, expected] of texts) assert.equal(plain(text), expected);
});

test("letters are letters of letters, wherever parts begin", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      assert.equal(plain(plain(text)), plain(text));
    }),
  );
  const long = "\u{20000}".repeat(20_000);
  assert.equal(lettersOf(`x${long}`, new WorkBudget()).length, 40_001);
  for (const letter of ["\u{20001}", "\u{20002}", "\u{2a6df}"])
    assert.equal(lettersOf(`x${letter.repeat(20_000)}`, new WorkBudget()).length, 40_001, letter);
});

test("what the budget has no room for is left out, and the budget says so", () => {
  const budget = new WorkBudget(100);
  assert.equal(lettersOf("a".repeat(101), budget).length, 0);
  assert.equal(budget.complete, false);
  const expanded = new WorkBudget(100);
  assert.equal(lettersOf("\ufdfa".repeat(50), expanded).length, 0);
  assert.equal(expanded.complete, false);
});

test("identifiers have a digit or an at sign, and are no date", () => {
  assert.deepEqual(
    [...identifiersOf("MRN KX-4482913 (a.b@c.org) on 2026-01-02, 12345, four 4111 1111 1111 1234 nothing-here")],
    ["KX-4482913", "a.b@c.org", "4111 1111 1111 1234"],
  );
  assert.deepEqual([...identifiersOf(`x${"1".repeat(200)}`)], []);
});

test("an identifier has 6 to 128 characters, and a number in groups 9 digits at least", () => {
  const longest = `a1${"b".repeat(126)}`;
  assert.deepEqual([...identifiersOf(`a1bcd a1bcde ${longest} ${longest}b`)], ["a1bcde", longest]);
  assert.deepEqual(
    [...identifiersOf("12 34 56 78, 12 34 56 789, 1-2.3 4-5.6 7-8.9")],
    ["12 34 56 789", "1-2.3 4-5.6 7-8.9"],
  );
  const groups = Array.from({ length: 43 }, () => "12").join(" ");
  assert.equal(groups.length, 128);
  assert.deepEqual([...identifiersOf(groups)], [groups]);
  assert.deepEqual([...identifiersOf(`${groups} 1`)], []);
});
