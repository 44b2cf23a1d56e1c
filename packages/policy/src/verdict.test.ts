import assert from "node:assert/strict";
import { test } from "node:test";
import { verdictOf, type Rule } from "./verdict.ts";

const rule = (label: string, rest: Partial<Rule> = {}): Rule => ({
  label,
  effect: "permit",
  reason: null,
  advice: null,
  redactFields: [],
  keepFields: [],
  readsSensitivity: false,
  ...rest,
});
const RULES = new Map([
  ["p1", rule("allow")],
  ["p2", rule("allow-redacted", { redactFields: ["ssn", "dob"], reason: "needed in part" })],
  ["p3", rule("ask-first", { advice: "step_up" })],
  ["f1", rule("no", { effect: "forbid", reason: "never" })],
  ["f2", rule("no-after-phi", { effect: "forbid", readsSensitivity: true })],
  ["f3", rule("later", { effect: "forbid", advice: "defer" })],
  ["f4", rule("ask", { effect: "forbid", advice: "step_up" })],
]);
const answer = (decision: "allow" | "deny", reason: readonly string[], errors: readonly unknown[] = []) =>
  verdictOf({ decision, diagnostics: { reason, errors } }, RULES);

void test("an allow names its permits, and redacts what any of them redacts", () => {
  assert.deepEqual(answer("allow", ["p1"]), {
    decision: "allow",
    rule: "allow",
    cause: "policy",
    reason: null,
    redactFields: [],
    keepFields: [],
  });
  assert.deepEqual(answer("allow", ["p1", "p2"]), {
    decision: "redact",
    rule: "allow,allow-redacted",
    cause: "policy",
    reason: "needed in part",
    redactFields: ["dob", "ssn"],
    keepFields: [],
  });
});

void test("an allow without a determining permit denies", () => {
  const wanted = {
    decision: "deny",
    rule: "allow-without-reason",
    cause: "fault",
    reason: null,
    redactFields: [],
    keepFields: [],
  };
  assert.deepEqual(answer("allow", []), wanted);
  assert.deepEqual(answer("allow", ["f1"]), wanted);
});

void test("an allow with any evaluation error denies", () => {
  assert.deepEqual(answer("allow", ["p1"], [{}]), {
    decision: "deny",
    rule: "evaluation-error",
    cause: "error",
    reason: null,
    redactFields: [],
    keepFields: [],
  });
});

void test("a rule the gateway does not know denies", () => {
  assert.equal(answer("allow", ["p1", "policy9"]).rule, "engine-failure");
  assert.equal(answer("deny", ["policy9"]).decision, "deny");
});

void test("a permit that asks for a further decision does not allow, whatever other permits say", () => {
  assert.equal(answer("allow", ["p1", "p3"]).decision, "step_up");
});

void test("a deny without a rule is the default", () => {
  assert.deepEqual(answer("deny", []), {
    decision: "deny",
    rule: "default-deny",
    cause: "no-policy",
    reason: null,
    redactFields: [],
    keepFields: [],
  });
});

void test("a deny is for sensitivity only when every forbid that made it reads sensitivity", () => {
  assert.equal(answer("deny", ["f2"]).cause, "sensitivity");
  assert.equal(answer("deny", ["f2", "f1"]).cause, "policy");
  assert.equal(answer("deny", ["f1"]).reason, "never");
});

void test("advice of forbids holds only where they agree", () => {
  assert.equal(answer("deny", ["f3"]).decision, "defer");
  assert.equal(answer("deny", ["f4"]).decision, "step_up");
  assert.equal(answer("deny", ["f3", "f4"]).decision, "deny");
  assert.equal(answer("deny", ["f4", "f1"]).decision, "deny");
});

void test("approvals lift forbids only where all agree on their terms", () => {
  const forbids = new Map(
    [
      rule("one", { effect: "forbid", advice: "step_up", approval: { needed: 1, approvers: null, reason: null } }),
      rule("same", { effect: "forbid", advice: "step_up", approval: { needed: 1, approvers: null, reason: null } }),
      rule("two", { effect: "forbid", advice: "step_up", approval: { needed: 2, approvers: null, reason: null } }),
      rule("never", { effect: "forbid" }),
    ].map((one) => [one.label, one]),
  );
  const of = (...reason: readonly string[]) =>
    verdictOf({ decision: "deny", diagnostics: { reason, errors: [] } }, forbids);
  assert.deepEqual(of("one").approval, { needed: 1, approvers: null, reason: null });
  assert.deepEqual([of("one", "same").decision, of("one", "same").rule], ["step_up", "one,same"]);
  for (const [first, second] of [
    ["one", "two"],
    ["one", "never"],
  ] as const) {
    const { decision, approval } = of(first, second);
    assert.deepEqual([decision, approval], ["deny", undefined]);
  }
});

void test("a permission lifts forbids only where all name the same owners", () => {
  const alice = { owners: ["alice"] };
  const forbids = new Map(
    [
      rule("one", { effect: "forbid", disclosure: alice }),
      rule("same", { effect: "forbid", disclosure: alice }),
      rule("two", { effect: "forbid", disclosure: { owners: ["alice", "bob"] } }),
      rule("ask", { effect: "forbid", advice: "step_up", approval: { needed: 1, approvers: null, reason: null } }),
      rule("never", { effect: "forbid" }),
    ].map((one) => [one.label, one]),
  );
  const of = (...reason: readonly string[]) =>
    verdictOf({ decision: "deny", diagnostics: { reason, errors: [] } }, forbids);
  assert.deepEqual([of("one").decision, of("one").disclosure], ["deny", alice]);
  assert.deepEqual([of("one", "same").disclosure, of("one", "same").rule], [alice, "one,same"]);
  for (const other of ["two", "ask", "never"])
    assert.deepEqual([of("one", other).decision, of("one", other).disclosure], ["deny", undefined], other);
});

void test("a long list of rules is shortened, not the verdict", () => {
  const many = new Map(
    Array.from({ length: 20 }, (_, index) => [`f${index}`, rule(`no-${index}`, { effect: "forbid" })]),
  );
  const verdict = verdictOf({ decision: "deny", diagnostics: { reason: [...many.keys()], errors: [] } }, many);
  assert.match(verdict.rule, /^no-0,no-1,.*,\+12$/);
});

void test("free text stays where every rule that redacts keeps it", () => {
  const redacting = (label: string, keepFields: readonly string[]): Rule =>
    rule(label, { redactFields: ["ssn"], keepFields });
  const keptBy = (...rules: readonly Rule[]): readonly string[] =>
    verdictOf(
      { decision: "allow", diagnostics: { reason: rules.map(({ label }) => label), errors: [] } },
      new Map(rules.map((one) => [one.label, one])),
    ).keepFields;
  assert.deepEqual(keptBy(redacting("a", ["note", "name"])), ["name", "note"]);
  assert.deepEqual(keptBy(redacting("a", ["note", "name"]), redacting("b", ["note"])), ["note"]);
  assert.deepEqual(keptBy(redacting("a", ["note"]), redacting("b", [])), []);
  assert.deepEqual(
    keptBy(redacting("a", ["note"]), rule("c")),
    ["note"],
    "a permit that redacts nothing takes nothing back",
  );
});
