import assert from "node:assert/strict";
import { test } from "node:test";
import { SECRET_RULES } from "../data/secret-rules.ts";
import { Tally } from "../findings.ts";
import { WorkBudget } from "../work-budget.ts";
import { SecretFinder } from "./find-secrets.ts";
import { entropyOf, readRules } from "./rules.ts";

const finder = new SecretFinder(readRules(SECRET_RULES));

function kindsIn(text: string, budget = new WorkBudget()): readonly string[] {
  const tally = new Tally();
  finder.find(text, tally, budget);
  return tally.findings(budget.complete).kinds;
}

/** Put together here, so that no scanner of this repository takes it for a secret. */
const join = (...parts: readonly string[]): string => parts.join("");
const GITHUB = join("gh", "p_", "x7Kd93mQ0aZv5LwT1uYb8RnE4cJs6HfG2pVi");
const AWS = join("AK", "IA", "Q3EGRIXK5MTW2YNB");

for (const [kind, text] of [
  ["secret:github-pat", `token ${GITHUB}`],
  ["secret:aws-access-token", `id=${AWS};`],
  [
    "secret:private-key",
    `${join("-----BEGIN ", "RSA PRIVATE KEY-----")}\n${"MIIEpQIBAAKCAQEA3Tz2mr7SZiAMfQyuvBjM9Oi".repeat(3)}\n-----END RSA PRIVATE KEY-----`,
  ],
  ["secret:curl-auth-user", join("curl -u ad", "min:s3cr3tPassw0rd https://host.example")],
] as const) {
  test(`${kind} is found`, () => {
    assert.deepEqual(kindsIn(text), [kind]);
  });
}

test("a keyword without a secret, an example, and a text of low entropy are none", () => {
  assert.deepEqual(kindsIn("The task asks: is the risk high? The key of the ghp_ tokens is akia."), []);
  assert.deepEqual(kindsIn(join("AK", "IAIOSFODNN7EXAMPLE")), []);
  assert.deepEqual(kindsIn(join("gh", "p_", "a".repeat(36))), []);
});

test("the same secret counts once, and others apart", () => {
  const tally = new Tally();
  finder.find(`${GITHUB} and ${GITHUB} and ${AWS}`, tally, new WorkBudget());
  assert.equal(tally.findings(true).secrets, 2);
});

test("a keyword at the end of a long text is found", () => {
  assert.deepEqual(kindsIn(`${"harmless words ".repeat(5000)}${GITHUB}`), ["secret:github-pat"]);
});

test("without work left the rule is not asked, and the look is not complete", () => {
  const budget = new WorkBudget(10);
  assert.deepEqual(kindsIn(GITHUB, budget), []);
  assert.equal(budget.complete, false);
});

test("a letter that changes its length in lower case moves nothing", () => {
  assert.deepEqual(kindsIn(`${"\u0130".repeat(600)} ${GITHUB}`), ["secret:github-pat"]);
});

test("entropy counts bits of a character", () => {
  assert.equal(entropyOf("aaaa"), 0);
  assert.equal(entropyOf("abcd"), 2);
});

test("what is no rule set is refused", () => {
  for (const text of ["", "{}", "null", '{"rules":[{}],"allowed":{}}'])
    assert.throws(() => readRules(text), { code: "DETECTOR_DATA_REFUSED" });
});
