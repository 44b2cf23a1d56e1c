import assert from "node:assert/strict";
import { test } from "node:test";
import { dottedPath, schemaProblem } from "./schema-problem.ts";

const missing = { code: "invalid_type", path: ["a", 0, "b"], message: "Invalid input: expected string" };

test("the first issue is described by its path and its message", () => {
  assert.deepEqual(schemaProblem({ issues: [missing, { ...missing, path: ["z"] }] }), {
    key: "a.0.b",
    text: "a.0.b: Invalid input: expected string",
  });
});

test("an unknown key is named, and comes before other issues", () => {
  const unknown = {
    code: "unrecognized_keys",
    path: ["a"],
    keys: ["extra", "more"],
    message: 'Unrecognized keys: "extra"',
  };
  assert.deepEqual(schemaProblem({ issues: [missing, unknown] }), { key: "a.extra", text: "a.extra: unknown key" });
});

test("an issue at the top is about the document, as is an error without issues", () => {
  assert.equal(
    schemaProblem({ issues: [{ ...missing, path: [] }] }).text,
    "the document: Invalid input: expected string",
  );
  assert.equal(schemaProblem({ issues: [] }).text, "the document: not valid");
});

test("keys are shortened to 64 characters and shown without control characters", () => {
  assert.equal(dottedPath(["a\n\u202e", "k".repeat(65), Symbol("s")]), `a??.${"k".repeat(64)}.Symbol(s)`);
});
