import assert from "node:assert/strict";
import { test } from "node:test";
import { METHODS, isGoverned, isTaskMethod } from "@cmcp/mcp";
import { callCatalog } from "../testing/call-catalog.ts";
import { requestFor } from "../testing/calls.ts";
import { resolveTarget } from "./resolve-target.ts";

const catalog = callCatalog();
const argument = { name: "who", value: "" };

/** A target's kind, or the rule, code and data of its refusal. */
function resolved(rest: Parameters<typeof requestFor>[0]): unknown {
  const step = resolveTarget(requestFor(rest), catalog);
  if (step.kind === "continue") return step.value.kind;
  assert.ok(step.outcome.kind === "error" && !step.sent && step.decision === "deny");
  return [step.rule, step.outcome.code];
}

test("each method finds its target by its own kind of name", () => {
  assert.equal(resolved({ name: "lookup" }), "tool");
  assert.equal(resolved({ method: "prompts/get", name: "greeting" }), "prompt");
  for (const method of ["resources/read", "resources/subscribe", "resources/unsubscribe"] as const)
    for (const name of ["note://all", "note://by-id/7"]) assert.equal(resolved({ method, name }), "resource");
  const prompt = { reference: { type: "ref/prompt", name: "greeting" }, argument, known: {} } as const;
  assert.equal(resolved({ method: "completion/complete", name: "greeting", completion: prompt }), "prompt");
  const uri = "note://by-id/{id}";
  const template = { reference: { type: "ref/resource", uri }, argument, known: {} } as const;
  assert.equal(resolved({ method: "completion/complete", name: uri, completion: template }), "resource");
});

test("a completion names the template itself, not a URI that matches it", () => {
  const name = "note://by-id/7";
  const completion = { reference: { type: "ref/resource", uri: name }, argument, known: {} } as const;
  assert.deepEqual(resolved({ method: "completion/complete", name, completion }), [
    "not-in-catalog",
    "RESOURCE_NOT_IN_CATALOG",
  ]);
});

test("a name of another kind, of nothing or of the language is not in the catalog", () => {
  for (const name of ["greeting", "note://all", "nothing", "constructor", "__proto__", ""])
    assert.deepEqual(resolved({ name }), ["not-in-catalog", "TOOL_NOT_IN_CATALOG"], name);
  assert.deepEqual(resolved({ method: "prompts/get" }), ["not-in-catalog", "PROMPT_NOT_IN_CATALOG"]);
  assert.deepEqual(resolved({ method: "resources/read" }), ["not-in-catalog", "RESOURCE_NOT_IN_CATALOG"]);
});

test("a task is never found in the catalog", () => {
  const methods = METHODS.filter(isGoverned).map(({ name }) => name);
  for (const method of methods.filter(isTaskMethod))
    assert.deepEqual(resolved({ method, name: "lookup" }), ["not-in-catalog", "TASK_UNKNOWN"], method);
});

test("the refusal of an unknown resource names its URI", () => {
  const step = resolveTarget(requestFor({ method: "resources/read", name: "note://none" }), catalog);
  assert.ok(step.kind === "ending" && step.outcome.kind === "error");
  assert.deepEqual(step.outcome.data, { error_code: "RESOURCE_NOT_IN_CATALOG", uri: "note://none" });
});

test("a target on a server that cannot be called is refused", () => {
  assert.deepEqual(resolved({ name: "unpinned" }), ["server-not-callable", "NOT_SUPPORTED"]);
});
