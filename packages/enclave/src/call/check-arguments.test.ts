import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { AgentRequest } from "@cmcp/mcp";
import * as fc from "fast-check";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, requestFor } from "../testing/calls.ts";
import { checkArguments } from "./check-arguments.ts";

const catalog = callCatalog();

/** Whether the arguments fit; a refusal repeats none of them. */
function fits(rest: Partial<AgentRequest>): boolean {
  const request = requestFor(rest);
  const step = checkArguments(makeCall(request), targetOf(catalog, request));
  if (step.kind === "continue") return true;
  assert.ok(step.outcome.kind === "error");
  assert.deepEqual(
    [step.rule, step.outcome.code, step.sent, step.decision],
    ["input-schema", "MCP_INVALID_REQUEST", false, "deny"],
  );
  assert.equal(JSON.stringify(step).includes("SECRET"), false);
  return false;
}

test("a tool's arguments fit its input schema, which is closed", () => {
  const person = (args: JsonObject): boolean => fits({ name: "person", arguments: args });
  assert.equal(person({ q: "Ann" }), true);
  for (const args of [{}, { q: 1 }, { q: "Ann", extra: "SECRET" }, { SECRET: 1, q: "Ann" }])
    assert.equal(person(args), false, JSON.stringify(args));
});

test("property: no argument passes that the schema does not declare", () => {
  const args = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });
  fc.assert(
    fc.property(args, (any) => {
      const value: JsonObject = JSON.parse(JSON.stringify(any));
      const declared = Object.entries(value).every(([name, one]) => name === "q" && typeof one === "string");
      assert.equal(fits({ arguments: value }), declared);
    }),
  );
});

test("a prompt's arguments are declared strings, and required ones are present", () => {
  const greeting = (args: JsonObject): boolean => fits({ method: "prompts/get", name: "greeting", arguments: args });
  assert.equal(greeting({ who: "Ann" }), true);
  assert.equal(greeting({ who: "Ann", tone: "dry" }), true);
  for (const args of [{}, { tone: "dry" }, { who: 1 }, { who: "Ann", SECRET: "x" }])
    assert.equal(greeting(args), false, JSON.stringify(args));
});

test("a completion names only declared arguments, also among the known ones", () => {
  const completes = (reference: NonNullable<AgentRequest["completion"]>["reference"], name: string, known = {}) =>
    fits({
      method: "completion/complete",
      name: reference.type === "ref/prompt" ? reference.name : reference.uri,
      completion: { reference, argument: { name, value: "SECRET" }, known },
    });
  const prompt = { type: "ref/prompt", name: "greeting" } as const;
  const template = { type: "ref/resource", uri: "note://by-id/{id}" } as const;
  assert.equal(completes(prompt, "who"), true);
  assert.equal(completes(prompt, "who", { tone: "dry" }), true);
  assert.equal(completes(template, "id"), true);
  for (const [reference, name, known] of [
    [prompt, "id", {}],
    [template, "who", {}],
    [template, "", {}],
    [prompt, "who", { other: "SECRET" }],
    [template, "id", { other: "SECRET" }],
    [{ type: "ref/resource", uri: "note://all" }, "id", {}],
  ] as const)
    assert.equal(completes(reference, name, known), false, `${reference.type} ${name}`);
});

test("a resource has no arguments to check", () => {
  assert.equal(fits({ method: "resources/read", name: "note://by-id/7" }), true);
});
