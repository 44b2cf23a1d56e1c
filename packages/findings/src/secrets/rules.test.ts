import assert from "node:assert/strict";
import { test } from "node:test";
import { Tally } from "../findings.ts";
import { WorkBudget } from "../work-budget.ts";
import { SecretFinder } from "./find-secrets.ts";
import { readRules } from "./rules.ts";

const NONE = { target: "match", regexes: [], stopwords: [] };
const RULE = { id: "own", regex: "(key)=([a-z0-9]+)", keywords: ["key"], entropy: 0, group: 2, allowed: [] };

interface Terms {
  readonly most?: number;
  readonly everywhere?: object;
}

function secretsIn(text: string, rule: object, { most = 16, everywhere = NONE }: Terms = {}): readonly string[] {
  const [read] = readRules(JSON.stringify({ rules: [{ ...RULE, ...rule }], allowed: everywhere }));
  assert.ok(read !== undefined);
  return read.find(text, most);
}

test("the secret is the rule's group, else the first group that holds something, else the match", () => {
  const text = "key=abc123";
  assert.deepEqual(secretsIn(text, {}), ["abc123"]);
  assert.deepEqual(secretsIn(text, { group: 1 }), ["key"]);
  assert.deepEqual(secretsIn(text, { group: 0 }), ["key"]);
  assert.deepEqual(secretsIn(text, { group: 0, regex: "(none)?key=([a-z0-9]+)" }), ["abc123"]);
  assert.deepEqual(secretsIn(text, { group: 0, regex: "key=[a-z0-9]+" }), [text]);
});

test("a secret needs more entropy than the rule's least", () => {
  assert.deepEqual(secretsIn("key=abcd", { entropy: 2 }), []);
  assert.deepEqual(secretsIn("key=abcde", { entropy: 2 }), ["abcde"]);
});

test("exceptions of the rule or of all rules cover a secret, or the whole match, or a word in it", () => {
  const text = "key=abc123";
  for (const [exception, covered] of [
    [{ target: "secret", regexes: ["^abc"], stopwords: [] }, true],
    [{ target: "match", regexes: ["^abc"], stopwords: [] }, false],
    [{ target: "match", regexes: ["^key=a"], stopwords: [] }, true],
    [{ target: "secret", regexes: ["^none", "123$"], stopwords: [] }, true],
    [{ target: "secret", regexes: [], stopwords: ["none", "c12"] }, true],
    [{ target: "match", regexes: [], stopwords: ["key"] }, false],
  ] as const) {
    const expected = covered ? [] : ["abc123"];
    assert.deepEqual(secretsIn(text, { allowed: [NONE, exception] }), expected);
    assert.deepEqual(secretsIn(text, {}, { everywhere: exception }), expected);
  }
});

test("a rule gives no more secrets than it is asked for, and goes on after an exception", () => {
  const text = "key=aaa key=bbb1 key=ccc2 key=ddd3";
  assert.deepEqual(secretsIn(text, {}, { most: 2 }), ["aaa", "bbb1"]);
  assert.deepEqual(secretsIn(text, { entropy: 0.5 }, { most: 2 }), ["bbb1", "ccc2"]);
});

test("a rule reads from 100 characters before its keyword to 400 after it", () => {
  const rules = [{ ...RULE, regex: "[a-z]*[0-9]{12}", group: 0 }];
  const finder = new SecretFinder(readRules(JSON.stringify({ rules, allowed: NONE })));
  const found = (text: string): number => {
    const tally = new Tally();
    finder.find(text, tally, new WorkBudget());
    return tally.findings(true).secrets;
  };
  const secret = "123456789012";
  const gap = (length: number): string => " ".repeat(length);
  assert.deepEqual([found(`${secret}${gap(88)}key`), found(`${secret}${gap(89)}key`)], [1, 0]);
  assert.deepEqual([found(`key${gap(385)}${secret}`), found(`key${gap(386)}${secret}`)], [1, 0]);
  assert.equal(found(`KEY ${secret}`), 1, "in any case");
  assert.equal(found("key only words"), 0);
});
