/** Slices hold exactly the rules that can bear on a call: held to the full set over generated bundles and requests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAuthorized } from "@cedar-policy/cedar-wasm/nodejs";
import * as fc from "fast-check";
import { ACTIONS } from "../actions.ts";
import { entityRequestOf, type EntityRequest } from "../compile/governed.ts";
import { outlineOf } from "../compile/outline.ts";
import { planBundle, type CompilePlan } from "../compile/plan.ts";
import { SHAPE_TYPES } from "../compile/shape.ts";
import type { BundleShape } from "../compiled.ts";
import type { GovernedFacts } from "../facts.ts";
import { asked, call, catalogWith, onPrompt, onResource, prompt, resource, tool } from "../test-support.ts";
import { fixedDeny, verdictOf, type Verdict } from "../verdict.ts";
import { decideWith } from "./decide.ts";
import { loadEngine } from "./engine.ts";
import { projectRequest } from "./project.ts";
import { sliceFor } from "./slice.ts";

await loadEngine();

const NAMES = ["read_file", "send_mail", "list_rows", "drop_rows"] as const;
const PATH = { type: "object", properties: { path: { type: "string" } } };
const TOOLS = NAMES.map((name) => tool(name, PATH));
const OUTSIDE = tool("added_later", PATH);
const ROWS = resource("x://rows");
const ROW = resource("x://rows/{path}");
const SUMMARY = prompt("summary", ["path"]);
const REPORT = prompt("report");

function planOf(cedar: string, schemaText = "", tools = TOOLS): CompilePlan {
  return planBundle({
    files: [["rules.cedar", cedar]],
    schemaText,
    catalog: outlineOf(catalogWith([ROWS, ROW], [SUMMARY, REPORT], tools)),
    history: [],
  });
}

function askedBy(plan: CompilePlan, facts: GovernedFacts): EntityRequest {
  const found = entityRequestOf(plan.shape, facts);
  assert.ok(found !== null);
  return found;
}

/** The engine asked with every rule and the whole schema at once, nothing prepared. */
function withEverything(plan: CompilePlan, facts: GovernedFacts): Verdict {
  const about = entityRequestOf(plan.shape, facts);
  const request = about === null ? "not-declared" : projectRequest(plan.shape, plan.projection, about, facts);
  if (request === "not-declared") return fixedDeny("default-deny", "no-policy");
  if (typeof request === "string") return fixedDeny(request, request);
  const answer = isAuthorized({
    ...request,
    policies: { staticPolicies: { ...plan.policies } },
    schema: plan.schema,
    validateRequest: true,
  });
  return answer.type === "failure"
    ? fixedDeny("request-invalid", "request-invalid")
    : verdictOf(answer.response, plan.rules);
}

const some = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** Literals of everything a rule of the shape can name, and of things no catalog has. */
function literalsOf(shape: BundleShape): readonly { readonly type: string; readonly id: string }[] {
  const type = SHAPE_TYPES[shape].resource;
  const tools = [...NAMES, "no_such_tool"].map((id) => ({ type, id }));
  if (shape === "per-tool-action") return tools;
  return [
    ...tools,
    ...["x://rows", "x://rows/{path}", "x://gone"].map((id) => ({ type: "cMCP::ResourceItem", id })),
    ...["summary", "report", "gone"].map((id) => ({ type: "cMCP::Prompt", id })),
  ];
}

/** Scopes that name something by `==`, `in` and lists, scopes that do not, and both at once. */
function resourceScope(shape: BundleShape): fc.Arbitrary<string> {
  const literals = literalsOf(shape);
  return fc.oneof(
    fc.constant("resource"),
    some(literals).map(({ type }) => `resource is ${type}`),
    some(literals).map(({ type, id }) => `resource == ${type}::"${id}"`),
    some(literals).map(({ type, id }) => `resource in ${type}::"${id}"`),
    some(literals).map(({ type, id }) => `resource is ${type} in ${type}::"${id}"`),
  );
}

function actionScope(shape: BundleShape): fc.Arbitrary<string> {
  const type = SHAPE_TYPES[shape].action;
  const ids = shape === "call_tool" ? Object.keys(ACTIONS) : TOOLS.map((each) => each.actionName);
  const id = some(ids).map((each) => `${type}::"${each}"`);
  return fc.oneof(
    fc.constant("action"),
    id.map((one) => `action == ${one}`),
    id.map((one) => `action in ${one}`),
    fc.uniqueArray(id, { minLength: 1, maxLength: 3 }).map((each) => `action in [${each.join(", ")}]`),
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
    `when { action == ${SHAPE_TYPES[shape].action}::"${shape === "call_tool" ? "read_resource" : "SendMail"}" }`,
  ]);
}

function rule(shape: BundleShape): fc.Arbitrary<string> {
  const advice = fc.oneof(
    { weight: 4, arbitrary: fc.constant("") },
    some(['@aarm_decision("step_up")', '@aarm_decision("defer")']),
  );
  return fc
    .tuple(
      some(["permit", "permit", "forbid"]),
      actionScope(shape),
      resourceScope(shape),
      condition(shape),
      advice,
      fc.boolean(),
    )
    .map(
      ([effect, action, scope, when, asking, redacts]) =>
        `${asking} ${redacts && effect === "permit" ? '@redact_fields("ssn")' : ""} ${effect} (principal, ${action}, ${scope}) ${when};`,
    );
}

// Rules that name the shape's own entities decide which shape the bundle has, and which actions its schema declares.
const ANCHOR: Record<BundleShape, string> = {
  call_tool: `forbid (principal == cMCP::Principal::"nobody", action in [${Object.keys(ACTIONS)
    .map((id) => `cMCP::Action::"${id}"`)
    .join(", ")}], resource);`,
  "per-tool-action": 'forbid (principal == Agent::"nobody", action, resource);',
};

const session = fc.record({ sessionMaxSensitivity: some(["public", "pii"]), workflowId: some(["default", "night"]) });
const someArguments = some([{}, { path: "/etc" }, { path: "/home" }, { path: 5 }]);
const request: fc.Arbitrary<GovernedFacts> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(some([...TOOLS, OUTSIDE]), someArguments, session, some(["call_tool", "call_tool", "ask_client"] as const))
      .map(([about, args, rest, action]) => call(args, { tool: about, action, ...rest })),
  },
  fc
    .tuple(
      some(["list_resource", "read_resource", "subscribe_resource", "complete", "ask_client"] as const),
      some([asked(ROWS), asked(ROW, "x://rows/etc"), asked(ROW), asked(resource("x://later"))]),
      session,
    )
    .map(([action, about, rest]) => onResource(action, about.resource, { resource: about, ...rest })),
  fc
    .tuple(
      some(["get_prompt", "complete", "ask_client"] as const),
      some([SUMMARY, REPORT, prompt("later")]),
      someArguments,
      session,
    )
    .map(([action, about, args, rest]) => onPrompt(action, about, args, rest)),
);

for (const shape of ["call_tool", "per-tool-action"] as const) {
  test(`${shape}: a slice and the full set give one verdict`, () => {
    const seen = new Set<string>();
    const holds = fc.property(
      fc.array(rule(shape), { minLength: 1, maxLength: 8 }),
      fc.array(request, { minLength: 1, maxLength: 8 }),
      (rules, requests) => {
        const plan = planOf([ANCHOR[shape], ...rules].join("\n"));
        assert.equal(plan.shape, shape);
        for (const facts of requests) {
          const verdict = decideWith(plan, facts);
          assert.deepEqual(
            verdict,
            withEverything(plan, facts),
            [...rules, JSON.stringify(entityRequestOf(plan.shape, facts))].join("\n"),
          );
          assert.deepEqual(decideWith(plan, facts), verdict, "asked again");
          seen.add(verdict.decision).add(verdict.cause);
          if (!("tool" in facts) && verdict.decision !== "deny") seen.add(facts.action);
        }
      },
    );
    // Some that are new each time, and some that are known to meet everything asked for below.
    fc.assert(holds, { numRuns: 100 });
    fc.assert(holds, { numRuns: 200, seed: 2 });
    for (const met of ["allow", "redact", "deny", "policy", "no-policy", "error"])
      assert.ok(seen.has(met), `${met} was never met`);
    const governed = ["list_resource", "read_resource", "subscribe_resource", "get_prompt", "complete"];
    assert.deepEqual(
      governed.filter((action) => seen.has(action)),
      shape === "call_tool" ? governed : [],
      "what each shape can let through",
    );
  });
}

test("rules about other things are not in a slice, and those that name none are in every", () => {
  const plan = planOf(`
    permit (principal, action, resource == cMCP::Resource::"read_file");
    forbid (principal, action, resource in cMCP::Resource::"send_mail");
    forbid (principal, action, resource is cMCP::Resource in cMCP::Resource::"send_mail");
    forbid (principal, action, resource is cMCP::Resource);
    forbid (principal, action, resource) when { resource == cMCP::Resource::"list_rows" };
    permit (principal, action == cMCP::Action::"read_resource", resource);
    permit (principal, action == cMCP::Action::"get_prompt", resource == cMCP::Prompt::"summary");
    permit (principal, action in [cMCP::Action::"list_resource", cMCP::Action::"read_resource"], resource == cMCP::ResourceItem::"x://rows");`);
  const sliceOf = (facts: GovernedFacts) => sliceFor(plan, askedBy(plan, facts));
  const rulesOf = (facts: GovernedFacts): readonly number[] =>
    sliceOf(facts)
      .rules()
      .map((id) => Number(id.split("#")[1]));
  const onTool = (name: string) => call({}, { tool: tool(name) });
  assert.deepEqual(rulesOf(onTool("read_file")), [4, 5, 1]);
  assert.deepEqual(rulesOf(onTool("send_mail")), [4, 5, 2, 3]);
  assert.deepEqual(rulesOf(onResource("read_resource", ROWS)), [4, 5, 6, 8]);
  assert.deepEqual(rulesOf(onResource("read_resource", ROW)), [4, 5, 6]);
  assert.deepEqual(rulesOf(onResource("list_resource", ROWS)), [4, 5, 8]);
  assert.deepEqual(rulesOf(onResource("subscribe_resource", ROWS)), [4, 5]);
  assert.deepEqual(rulesOf(onPrompt("get_prompt", SUMMARY)), [4, 5, 7]);
  assert.deepEqual(rulesOf(onPrompt("complete", SUMMARY)), [4, 5]);
  assert.equal(sliceOf(onTool("list_rows")).key, sliceOf(onTool("drop_rows")).key, "tools no rule names share a slice");
  assert.notEqual(
    sliceOf(onResource("subscribe_resource", ROWS)).key,
    sliceOf(onResource("read_resource", ROW)).key,
    "actions share none",
  );
  assert.equal(sliceOf(call({}, { tool: OUTSIDE })).rules().length, 8, "what the plan does not know gets every rule");
});

test("under action groups a rule about a group is in the slice of every tool", () => {
  const schema = `entity Agent; entity Resource;
    action "Reading" appliesTo { principal: Agent, resource: Resource, context: {} };
    action "ReadFile", "ListRows" in ["Reading"] appliesTo { principal: Agent, resource: Resource, context: {} };
    action "SendMail", "DropRows" appliesTo { principal: Agent, resource: Resource, context: {} };`;
  const plan = planOf(
    'permit (principal, action in Action::"Reading", resource); forbid (principal, action == Action::"DropRows", resource);',
    schema,
  );
  const decide = (name: string): string => decideWith(plan, call({}, { tool: tool(name, PATH) })).decision;
  assert.deepEqual(NAMES.map(decide), ["allow", "deny", "allow", "deny"]);
  assert.ok(
    !sliceFor(plan, askedBy(plan, call({}, { tool: tool("read_file", PATH) })))
      .rules()
      .includes("rules.cedar#2"),
  );
});

test("more tools than the engine holds slices of are still decided by their own rules", () => {
  const many = Array.from({ length: 300 }, (_, index) => tool(`t${index}`));
  const cedar = many
    .map(
      ({ toolName }, index) =>
        `@id("r${index}") permit (principal, action, resource == cMCP::Resource::"${toolName}");`,
    )
    .join("\n");
  const plan = planOf(cedar, "", many);
  for (let round = 0; round < 2; round += 1) {
    for (const [index, each] of many.entries())
      assert.equal(decideWith(plan, call({}, { tool: each })).rule, `r${index}`);
  }
});

test("more rules than the engine holds at one time give way and come back", () => {
  const general = Array.from(
    { length: 3000 },
    (_, index) => `forbid (principal, action, resource) when { context.session_max_sensitivity == "x${index}" };`,
  );
  const own = NAMES.map((name) => `@id("${name}") permit (principal, action, resource == cMCP::Resource::"${name}");`);
  const plans = ["a", "b"].map((word) =>
    planOf([`forbid (principal == cMCP::Principal::"${word}", action, resource);`, ...general, ...own].join("\n")),
  );
  for (let round = 0; round < 2; round += 1) {
    for (const plan of plans)
      for (const name of NAMES) assert.equal(decideWith(plan, call({}, { tool: tool(name, PATH) })).rule, name);
  }
});
