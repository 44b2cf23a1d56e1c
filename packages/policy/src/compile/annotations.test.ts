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
    [undefined, "deny", " Step_Up ", "defer"].map(
      (text) => read(text === undefined ? {} : { aarm_decision: text }).advice,
    ),
    [null, null, "step_up", "defer"],
  );
  refused({ aarm_decision: "allow" }, /@aarm_decision/);
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
