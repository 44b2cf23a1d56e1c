import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { beginWork } from "../work.ts";
import { LinearPattern } from "./linear-pattern.ts";

/** Characters on which engines differ: ends of lines, spaces of Unicode, letters that fold to ASCII, pairs and halves of pairs. */
const CHARACTERS = [
  ...Array.from("aAbz09_-/.$^ \n\r\t\v\u0000\u0085\u00a0\u1680\u2028\u2029\ufeffſKéß̈٠中\u{1f600}\u{10ffff}"),
  "\ud83d",
  "\ude00",
];
const ATOMS = [
  ...Array.from("aAbz09_-/ é中\u{1f600}"),
  ".",
  "^",
  "$",
  "\\b",
  "\\B",
  "\\d",
  "\\D",
  "\\w",
  "\\W",
  "\\s",
  "\\S",
  "\\t",
  "\\v",
  "\\0",
  "\\cJ",
  "\\x41",
  "\\u0041",
  "\\u{1f600}",
  "\\ud83d\\ude00",
  "\\ud83d",
  "\\/",
  "\\.",
  "\\$",
  "\\p{L}",
  "\\P{L}",
  "\\p{Script=Greek}",
  "\\p{Lu}",
  "\\p{Nd}",
  "[ab-z]",
  "[^a]",
  "[]",
  "[^]",
  "[\\w-]",
  "[\\b]",
  "[^\\s\\d]",
  "[\\p{L}_]",
  "[a\\-z]",
  "[-a]",
  "[\\]^]",
  "[😀-😎]",
  "[^\\W]",
  "[$.]",
];
const { pattern } = fc.letrec<{ pattern: string; item: string }>((tie) => ({
  pattern: fc
    .array(fc.array(tie("item"), { maxLength: 4 }), { minLength: 1, maxLength: 3 })
    .map((options) => options.map((items) => items.join("")).join("|")),
  item: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom(...ATOMS),
    fc
      .tuple(
        fc.oneof(
          { maxDepth: 2 },
          fc.constantFrom(...ATOMS),
          fc.tuple(fc.constantFrom("(", "(?:", "(?<n>"), tie("pattern")).map(([open, inside]) => `${open}${inside})`),
        ),
        fc.constantFrom("", "*", "+", "?", "{2}", "{0}", "{0,2}", "{1,}", "*?", "+?", "??", "{1,3}?"),
      )
      .map(([atom, quantifier]) => `${atom}${quantifier}`),
  ),
}));

/**
 * Whether the platform's matcher finds a pattern in a text. It is asked at the start of each character, for by itself V8
 * finds \B between the halves of a surrogate pair, too (ECMA-262, section 22.2.7.2, goes on by whole characters).
 */
function platformTest(source: string): (text: string) => boolean {
  const sticky = new RegExp(source, "uy");
  return (text) => {
    let start = 0;
    for (const character of [...Array.from(text), ""]) {
      sticky.lastIndex = start;
      if (sticky.test(text)) return true;
      start += character.length;
    }
    return false;
  };
}

test("property: a pattern that is taken matches what the platform's matcher does, with the u flag", () => {
  let [taken, matched, not] = [0, 0, 0];
  fc.assert(
    fc.property(
      pattern,
      // Short, as the platform's matcher backtracks: nested repeats cost it exponentially many steps of the text's length.
      fc.array(fc.array(fc.constantFrom(...CHARACTERS), { maxLength: 5 }), { minLength: 1, maxLength: 12 }),
      (source, texts) => {
        const read = LinearPattern.read(source);
        if (typeof read === "string") return;
        taken += 1;
        const platform = platformTest(source);
        for (const characters of texts) {
          const text = characters.join("");
          beginWork();
          assert.equal(read.test(text), platform(text), JSON.stringify([source, text]));
          if (platform(text)) matched += 1;
          else not += 1;
        }
      },
    ),
    { numRuns: 2000 },
  );
  assert.ok(taken > 1000 && matched > 1000 && not > 1000, `${taken} taken, ${matched} matched, ${not} not`);
});

test("every code point is in a class of the pattern where the platform has it", () => {
  for (const source of [
    "^\\s$",
    "^\\S$",
    "^\\w$",
    "^\\d$",
    "^.$",
    "^\\p{L}$",
    "^[^\\p{L}\\d]$",
    "^\\p{Script=Latin}$",
  ]) {
    const read = LinearPattern.read(source);
    assert.ok(typeof read !== "string");
    const platform = new RegExp(source, "u");
    for (let point = 0; point <= 0x10ffff; point += point < 0x3100 ? 1 : 97) {
      const text = String.fromCodePoint(point);
      beginWork();
      assert.equal(read.test(text), platform.test(text), `${source} ${point.toString(16)}`);
    }
  }
});

test("a character is written in each of the ways the platform has, and groups nest as deep as is allowed", () => {
  const nested = (depth: number): string => `${"(".repeat(depth)}A${")".repeat(depth)}`;
  for (const source of ["\\x41", "\\u0041", "\\u{41}", "[\\x41]", "[\\u0041-\\u{42}]", nested(64)]) {
    const read = LinearPattern.read(`^${source}$`);
    assert.ok(typeof read !== "string", source);
    beginWork();
    assert.deepEqual([read.test("A"), read.test("x")], [true, false], source);
  }
  const refused = LinearPattern.read(nested(65));
  assert.match(typeof refused === "string" ? refused : "", /nested deeper than 64/);
});

test("what needs backtracking, or is no pattern, is refused with the reason", () => {
  for (const [source, why] of [
    ["(a)\\1", /refers back/],
    ["(?<x>a)\\k<x>", /refers back/],
    ["a(?=b)", /looks ahead or behind/],
    ["a(?!b)", /looks ahead or behind/],
    ["(?<=a)b", /looks ahead or behind/],
    ["(?<!a)b", /looks ahead or behind/],
    ["(?i:a)", /linear|not a regular expression/],
    ["a{5000}", /repeats too much/],
    ["(?:a{100}){100}", /repeats too much/],
    [`(?:${"[a-c]{900}".repeat(3)})`, /repeats too much/],
    ["\\p{L}".repeat(100), /covers too many characters/],
    [`${"(".repeat(70)}a${")".repeat(70)}`, /nested deeper/],
    ["(", /not a regular expression/],
    ["a".repeat(1025), /longer than/],
  ] as const) {
    const read = LinearPattern.read(source);
    assert.ok(typeof read === "string", source);
    assert.match(read, why, source);
  }
});
