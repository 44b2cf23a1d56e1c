/** Slices hold exactly the rules that can bear on a call: held to the full set over generated bundles and requests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAuthorized } from "@cedar-policy/cedar-wasm/nodejs";
import * as fc from "fast-check";
import { planBundle, type CompilePlan } from "../compile/plan.ts";
import { SHAPE_TYPES } from "../compile/shape.ts";
import type { BundleShape } from "../compiled.ts";
import type { CallFacts } from "../facts.ts";
import { call, tool } from "../test-support.ts";
import { fixedDeny, verdictOf, type Verdict } from "../verdict.ts";
import { decideWith } from "./decide.ts";
import { projectCall } from "./project.ts";
import { sliceFor } from "./slice.ts";

const NAMES = ["read_file", "send_mail", "list_rows", "drop_rows"] as const;
const PATH = { type: "object", properties: { path: { type: "string" } } };
const TOOLS = NAMES.map((name) => tool(name, PATH));
const OUTSIDE = tool("added_later", PATH);

function planOf(cedar: string, schemaText = ""): CompilePlan {
  return planBundle({ files: [["rules.cedar", cedar]], schemaText, tools: TOOLS });
}

/** The engine asked with every rule and the whole schema at once, nothing prepared. */
function withEverything(plan: CompilePlan, facts: CallFacts): Verdict {
  const request = projectCall(plan.shape, plan.projection, facts);
  if (typeof request === "string") return fixedDeny(request, request);
  const answer = isAuthorized({ ...request, policies: { staticPolicies: { ...plan.policies } }, schema: plan.schema, validateRequest: true });
  return answer.type === "failure" ? fixedDeny("request-invalid", "request-invalid") : verdictOf(answer.response, plan.rules);
}

const some = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** Scopes that name tools by `==`, `in` and lists, scopes that do not, and both at once. */
function resourceScope(shape: BundleShape): fc.Arbitrary<string> {
  const type = SHAPE_TYPES[shape].resource;
  const of = (name: string): string => `${type}::"${name}"`;
  return fc.oneof(
    fc.constant("resource"),
    fc.constant(`resource is ${type}`),
    some(NAMES).map((name) => `resource == ${of(name)}`),
    some([...NAMES, "no_such_tool"]).map((name) => `resource in ${of(name)}`),
    some(NAMES).map((name) => `resource is ${type} in ${of(name)}`),
  );
}

function actionScope(shape: BundleShape): fc.Arbitrary<string> {
  const type = SHAPE_TYPES[shape].action;
  if (shape === "call_tool") return some(["action", `action == ${type}::"call_tool"`, `action in [${type}::"call_tool"]`]);
  const id = some(TOOLS).map((each) => `${type}::"${each.actionName}"`);
  return fc.oneof(
    fc.constant("action"),
    id.map((one) => `action == ${one}`),
    id.map((one) => `action in ${one}`),
    fc.uniqueArray(id, { minLength: 1, maxLength: 3 }).map((ids) => `action in [${ids.join(", ")}]`),
  );
}

function condition(shape: BundleShape): fc.Arbitrary<string> {
  return some([
    "",
    'when { context.session_max_sensitivity == "pii" }',
    'unless { context.workflow_id == "default" }',
    // Fails where the argument is absent, which denies.
    'when { context.arguments.path == "/etc" }',
    'when { context.arguments has path && context.arguments.path == "/etc" }',
    `when { resource == ${SHAPE_TYPES[shape].resource}::"send_mail" }`,
    `when { action == ${SHAPE_TYPES[shape].action}::"${shape === "call_tool" ? "call_tool" : "SendMail"}" }`,
  ]);
}

function rule(shape: BundleShape): fc.Arbitrary<string> {
  const advice = fc.oneof({ weight: 4, arbitrary: fc.constant("") }, some(['@aarm_decision("step_up")', '@aarm_decision("defer")']));
  return fc.tuple(some(["permit", "permit", "forbid"]), actionScope(shape), resourceScope(shape), condition(shape), advice, fc.boolean()).map(
    ([effect, action, resource, when, asking, redacts]) => `${asking} ${redacts && effect === "permit" ? '@redact_fields("ssn")' : ""} ${effect} (principal, ${action}, ${resource}) ${when};`,
  );
}

// One rule that names the shape's own entities decides which shape the bundle has.
const ANCHOR: Record<BundleShape, string> = { call_tool: 'forbid (principal == cMCP::Principal::"nobody", action, resource);', "per-tool-action": 'forbid (principal == Agent::"nobody", action, resource);' };

const request = fc.record({
  tool: some([...TOOLS, OUTSIDE]),
  arguments: some([{}, { path: "/etc" }, { path: "/home" }, { path: 5 }]),
  sessionMaxSensitivity: some(["public", "pii"]),
  workflowId: some(["default", "night"]),
});

for (const shape of ["call_tool", "per-tool-action"] as const) {
  test(`${shape}: a slice and the full set give one verdict`, () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(rule(shape), { minLength: 1, maxLength: 8 }), fc.array(request, { minLength: 1, maxLength: 6 }), (rules, requests) => {
        const plan = planOf([ANCHOR[shape], ...rules].join("\n"));
        assert.equal(plan.shape, shape);
        for (const each of requests) {
          const facts = call({}, each);
          const verdict = decideWith(plan, facts);
          assert.deepEqual(verdict, withEverything(plan, facts), [...rules, JSON.stringify(each.arguments), each.tool.toolName].join("\n"));
          seen.add(verdict.decision).add(verdict.cause);
        }
      }),
      { numRuns: 150 },
    );
    for (const met of ["allow", "redact", "deny", "policy", "no-policy", "error"]) assert.ok(seen.has(met), `${met} was never met`);
  });
}

test("rules about other tools are not in a tool's slice, and those that name none are in every", () => {
  const plan = planOf(`
    permit (principal, action, resource == cMCP::Resource::"read_file");
    forbid (principal, action, resource in cMCP::Resource::"send_mail");
    forbid (principal, action, resource is cMCP::Resource in cMCP::Resource::"send_mail");
    forbid (principal, action, resource is cMCP::Resource);
    forbid (principal, action, resource) when { resource == cMCP::Resource::"list_rows" };`);
  const rulesOf = (name: string): readonly string[] => sliceFor(plan, tool(name)).rules();
  assert.deepEqual(rulesOf("read_file"), ["rules.cedar#4", "rules.cedar#5", "rules.cedar#1"]);
  assert.deepEqual(rulesOf("send_mail"), ["rules.cedar#4", "rules.cedar#5", "rules.cedar#2", "rules.cedar#3"]);
  assert.equal(sliceFor(plan, tool("list_rows")).key, sliceFor(plan, tool("drop_rows")).key, "tools no rule names share a slice");
  assert.equal(sliceFor(plan, OUTSIDE).rules().length, 5, "a tool the plan does not know gets every rule");
});

test("under action groups a rule about a group is in the slice of every tool", () => {
  const schema = `entity Agent; entity Resource;
    action "Reading" appliesTo { principal: Agent, resource: Resource, context: {} };
    action "ReadFile", "ListRows" in ["Reading"] appliesTo { principal: Agent, resource: Resource, context: {} };
    action "SendMail", "DropRows" appliesTo { principal: Agent, resource: Resource, context: {} };`;
  const plan = planOf('permit (principal, action in Action::"Reading", resource); forbid (principal, action == Action::"DropRows", resource);', schema);
  const decide = (name: string): string => decideWith(plan, call({}, { tool: tool(name, PATH) })).decision;
  assert.deepEqual(NAMES.map(decide), ["allow", "deny", "allow", "deny"]);
  assert.ok(!sliceFor(plan, tool("read_file")).rules().includes("rules.cedar#2"));
});

test("more tools than the engine holds slices of are still decided by their own rules", () => {
  const many = Array.from({ length: 300 }, (_, index) => tool(`t${index}`));
  const cedar = many.map(({ toolName }, index) => `@id("r${index}") permit (principal, action, resource == cMCP::Resource::"${toolName}");`).join("\n");
  const plan = planBundle({ files: [["rules.cedar", cedar]], schemaText: "", tools: many });
  for (let round = 0; round < 2; round += 1) {
    for (const [index, each] of many.entries()) assert.equal(decideWith(plan, call({}, { tool: each })).rule, `r${index}`);
  }
});

test("more rules than the engine holds at one time give way and come back", () => {
  const general = Array.from({ length: 3000 }, (_, index) => `forbid (principal, action, resource) when { context.session_max_sensitivity == "x${index}" };`);
  const own = NAMES.map((name) => `@id("${name}") permit (principal, action, resource == cMCP::Resource::"${name}");`);
  const plans = ["a", "b"].map((word) => planOf([`forbid (principal == cMCP::Principal::"${word}", action, resource);`, ...general, ...own].join("\n")));
  for (let round = 0; round < 2; round += 1) {
    for (const plan of plans) for (const name of NAMES) assert.equal(decideWith(plan, call({}, { tool: tool(name, PATH) })).rule, name);
  }
});
