import assert from "node:assert/strict";
import { test } from "node:test";
import { readAnnotations } from "./annotations.ts";

const read = (annotations: Readonly<Record<string, string>>, effect: "permit" | "forbid" = "permit") =>
  readAnnotations("rules.cedar#1", annotations, effect);
const refused = (annotations: Readonly<Record<string, string>>, message: RegExp): void =>
  assert.throws(() => read(annotations), { code: "POLICY_BUNDLE_INVALID", message });

test("a rule is called by its id, or by its place, and an id has at most 128 characters", () => {
  assert.equal(read({}).label, "rules.cedar#1");
  assert.equal(read({ id: " " }).label, "rules.cedar#1");
  assert.equal(read({ id: " own " }).label, "own");
  assert.equal(read({ id: "x".repeat(128) }).label.length, 128);
  for (const id of ["x".repeat(129), "a,b", "a\u0007b"]) refused({ id }, /@id must be at most 128/);
});

test("a reason is cut at 512 characters, and absent without one", () => {
  assert.equal(read({}).reason, null);
  assert.equal(read({ reason: `${"x".repeat(512)}y` }).reason, "x".repeat(512));
});

test("advice is step_up, defer or none, in any case", () => {
  assert.deepEqual(
    [undefined, "deny", " Step_Up ", "defer", "require_approval"].map(
      (text) => read(text === undefined ? {} : { aarm_decision: text }).advice,
    ),
    [null, null, "step_up", "defer", "step_up"],
  );
  refused({ aarm_decision: "allow" }, /@aarm_decision/);
});

test("a forbid that asks for an approval says whose, of how many, and why", () => {
  const asking = (more: Readonly<Record<string, string>> = {}) =>
    read({ aarm_decision: "step_up", ...more }, "forbid").approval;
  assert.deepEqual(asking(), { needed: 1, approvers: null, reason: null });
  assert.deepEqual(asking({ approvers: "alice, bob", approvals: "2", approval_reason: "mail leaves" }), {
    needed: 2,
    approvers: ["alice", "bob"],
    reason: "mail leaves",
  });
  assert.equal(asking({ approval_reason: "x".repeat(600) })?.reason?.length, 512);
  assert.equal(read({ aarm_decision: "step_up" }).approval, undefined, "a permit is not lifted");
  assert.equal(read({}, "forbid").approval, undefined);
  const refusedOf = (more: Readonly<Record<string, string>>, message: RegExp): void =>
    assert.throws(() => asking(more), { code: "POLICY_BUNDLE_INVALID", message });
  for (const approvers of ["", "Alice", "a b", "a,,b", Array.from({ length: 17 }, (_, at) => `a${at}`).join(",")])
    refusedOf({ approvers }, /@approvers must be names/);
  refusedOf({ approvers: "alice,alice" }, /names one twice/);
  for (const approvals of ["", "0", "1.5", "17", "two"]) refusedOf({ approvals }, /@approvals must be a whole number/);
  refusedOf({ approvers: "alice", approvals: "2" }, /more approvals than/);
  for (const name of ["approvers", "approvals", "approval_reason"]) {
    refused({ aarm_decision: "step_up", [name]: "1" }, new RegExp(`@${name} has no effect here`));
    assert.throws(() => read({ aarm_decision: "defer", [name]: "1" }, "forbid"), { message: /no effect here/ });
  }
});

test("a forbid says whose permission lets data leave", () => {
  const owners = (text: string) => read({ disclosure: text }, "forbid").disclosure?.owners;
  assert.deepEqual(owners("alice, bob"), ["alice", "bob"]);
  assert.equal(read({}, "forbid").disclosure, undefined);
  for (const text of ["", "Alice", "a,,b", Array.from({ length: 17 }, (_, at) => `a${at}`).join(",")])
    assert.throws(() => owners(text), { code: "POLICY_BUNDLE_INVALID", message: /@disclosure must be names/ });
  assert.throws(() => owners("alice,alice"), { message: /names one twice/ });
  refused({ disclosure: "alice" }, /@disclosure has no effect here/);
  for (const aarm_decision of ["step_up", "defer"])
    assert.throws(() => read({ disclosure: "alice", aarm_decision }, "forbid"), { message: /no effect here/ });
});

test("fields are at most 64 names or dotted paths of 128 characters", () => {
  assert.deepEqual(read({ redact_fields: "ssn, a.b-c_d.$e" }).redactFields, ["ssn", "a.b-c_d.$e"]);
  const many = (count: number): string => Array.from({ length: count }, (_, index) => `f${index}`).join(",");
  assert.equal(read({ redact_fields: many(64) }).redactFields.length, 64);
  assert.equal(read({ redact_fields: "x".repeat(128) }).redactFields.length, 1);
  for (const redact_fields of [many(65), "x".repeat(129), "", "a,,b", "a b", "a..b", ".a", "a."])
    refused({ redact_fields }, /@redact_fields must be field names or dotted paths/);
});

test("what would silently do nothing is refused", () => {
  assert.deepEqual(read({ redact_fields: "a", keep_fields: "b" }).keepFields, ["b"]);
  refused({ keep_fields: "a" }, /@keep_fields without @redact_fields/);
  refused({ redact_fields: "a,b", keep_fields: "c,b" }, /both name b/);
  for (const name of ["redact_fields", "keep_fields"])
    assert.throws(() => read({ [name]: "a" }, "forbid"), { message: new RegExp(`@${name} on a forbid`) });
  assert.equal(read({ toString: "x" }).label, "rules.cedar#1");
});
