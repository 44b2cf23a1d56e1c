import assert from "node:assert/strict";
import { test } from "node:test";
import { PROMPT, TOOL } from "../actions.ts";
import type { PlannedAttribute, Projection } from "./projection.ts";
import { readsProblem } from "./reads.ts";

const text = (name: string): PlannedAttribute => ({ name, required: true, type: { kind: "String" } });
const record = (name: string, ...attributes: readonly PlannedAttribute[]): PlannedAttribute => ({
  name,
  required: true,
  type: { kind: "Record", attributes },
});
const PROJECTION: Projection = {
  principal: [text("workflow_id")],
  resources: new Map([
    [TOOL, [text("tool_name")]],
    [PROMPT, [text("prompt_name")]],
  ]),
  contexts: new Map([
    [
      "call_tool",
      {
        facts: [text("channel"), record("history", text("reads"))],
        arguments: [text("path"), record("options", text("mode"))],
      },
    ],
    ["get_prompt", { facts: [text("isolation")], arguments: null }],
  ]),
};

const problem = (path: string, presence = false, projection = PROJECTION): string | undefined => {
  const [variable = "", ...names] = path.split(".");
  return readsProblem([{ variable, path: names, presence }], projection);
};

test("what the schema declares and the gateway supplies can be read, under whichever action or type has it", () => {
  for (const path of [
    "principal",
    "principal.workflow_id",
    "resource",
    "resource.tool_name",
    "resource.prompt_name",
    "action",
    "context.channel",
    "context.isolation",
    "context.history",
    "context.history.reads",
    "context.arguments.path",
    "context.arguments.options.mode",
  ])
    assert.equal(problem(path), undefined, path);
  assert.equal(readsProblem([], PROJECTION), undefined);
});

test("a read that reaches nothing says why", () => {
  for (const [path, why] of [
    ["principal.nobody", /^reads principal\.nobody, which the gateway does not supply$/],
    ["principal.session_id", /^reads principal\.session_id, which the schema does not declare as String$/],
    ["resource.tool_category", /which the catalog format does not carry$/],
    ["resource.nothing", /^reads resource\.nothing, which the gateway does not supply$/],
    ["action.name", /^reads action\.name, which no request has$/],
    ["context", /^uses the context as a whole/],
    ["context.catalog_hash", /^reads context\.catalog_hash, which the schema does not declare as String$/],
    ["context.history.writes", /^reads context\.history\.writes, which the schema does not declare$/],
    ["context.channel.name", /^reads context\.channel\.name, which the schema does not declare$/],
    ["context.arguments.other", /^reads argument other, which the schema does not declare/],
    ["context.arguments.path.name", /^reads members of argument path, which is not a record$/],
    ["context.arguments.options.other", /^reads argument other,/],
  ] as const)
    assert.match(problem(path) ?? "", why);
});

test("a record of arguments may be tested for, and not used as a whole", () => {
  for (const path of ["context.arguments", "context.arguments.options"]) {
    assert.equal(problem(path, true), undefined);
    assert.match(problem(path) ?? "", /^uses a record of arguments as a whole/);
  }
});

test("the first read that reaches nothing is named, and a schema without arguments has none", () => {
  const read = (name: string) => ({ variable: "principal", path: [name], presence: false });
  assert.match(readsProblem([read("workflow_id"), read("one"), read("two")], PROJECTION) ?? "", /principal\.one,/);
  const without: Projection = { ...PROJECTION, contexts: new Map([["call_tool", { facts: [], arguments: null }]]) };
  assert.match(problem("context.arguments.path", false, without) ?? "", /^reads argument path/);
});
