import assert from "node:assert/strict";
import { test } from "node:test";
import { LONG, STRINGS, memberType, recordType, type FactType } from "../fact-type.ts";
import { describeSchema } from "./describe.ts";
import { fitSchema, typeText } from "./fit.ts";
import { parseSchema } from "./parse.ts";

const OPEN: FactType = { kind: "Record", members: new Map([["complete", { kind: "Bool" }]]), others: LONG };

void test("a type reads as Cedar writes it", () => {
  assert.equal(typeText({ kind: "Set", element: recordType({ tool: { kind: "String" } }) }), "Set<{tool: String}>");
  assert.equal(typeText(STRINGS), "Set<String>");
  assert.equal(typeText(OPEN), "{complete: Bool, …: Long}");
});

void test("a record's member has its own type, or that of all others", () => {
  assert.deepEqual([memberType(OPEN, "complete"), memberType(OPEN, "calls")], [{ kind: "Bool" }, LONG]);
  assert.deepEqual([memberType(recordType({}), "toString"), memberType(STRINGS, "x")], [undefined, undefined]);
});

/** A schema's text held against what a request of this shape can have. */
function fit(
  text: string,
  shape: "call_tool" | "per-tool-action" = "call_tool",
  actions: readonly string[] = [],
  reads: readonly string[] = [],
) {
  const parsed = parseSchema(text);
  if (!parsed.ok) return assert.fail(parsed.why);
  const { projection, problems, warnings } = fitSchema(
    describeSchema(parsed.schema),
    shape,
    actions,
    reads.map((path) => {
      const [variable = "", ...names] = path.split(".");
      return { variable, path: names, presence: false };
    }),
  );
  return { projection, problems, warnings };
}
const call = (context: string, rest = ""): string =>
  `namespace cMCP { entity Principal; entity Resource; entity ResourceItem; entity Prompt;
    action call_tool appliesTo { principal: Principal, resource: Resource, context: { ${context} } }; ${rest} }`;

void test("optional facts and arguments are planned where a rule reads them, required ones always", () => {
  const text = call("channel: String, isolation?: String, arguments: { path: String, mode?: String, n?: Long }");
  const of = (...reads: readonly string[]) => fit(text, "call_tool", [], reads).projection.contexts.get("call_tool");
  const names = (planned: readonly { name: string; required: boolean }[] | null | undefined) =>
    planned?.map(({ name, required }) => `${name}${required ? "" : "?"}`);
  assert.deepEqual(names(of()?.facts), ["channel"]);
  assert.deepEqual(names(of()?.arguments), ["path"]);
  const read = of("context.isolation", "context.arguments.n");
  assert.deepEqual(names(read?.facts), ["channel", "isolation?"]);
  assert.deepEqual(names(read?.arguments), ["n?", "path"]);
  assert.equal(fit(call("channel: String")).projection.contexts.get("call_tool")?.arguments, null);
});

void test("what no request could have is a problem, and says which", () => {
  const problems = (context: string): readonly string[] => fit(call(context)).problems;
  assert.deepEqual(problems("channel: String"), []);
  assert.deepEqual(problems("nothing: String"), ["it requires context.nothing, which the gateway does not supply"]);
  assert.deepEqual(problems("channel: Long"), ["it requires context.channel with another type than String"]);
  assert.deepEqual(problems("argument_name: String"), [
    'it requires context.argument_name, which only requests of action "complete" have',
  ]);
  assert.deepEqual(problems("arguments: String"), ["it declares context.arguments as something else than a record"]);
  assert.deepEqual(problems("arguments: { __entity?: String }"), [
    "it declares an argument named __entity, which the engine would take for something else",
  ]);
  assert.deepEqual(problems("arguments: { at: ipaddr }"), [
    "it requires argument at with a type that no JSON argument has",
  ]);
  assert.deepEqual(problems("arguments: { at?: ipaddr, deep: Set<Set<String>> }"), [
    "it requires argument deep with a type that no JSON argument has",
  ]);
});

void test("the action of calls is needed, and a further one that joins other types is left out with a warning", () => {
  const bare = fit("namespace cMCP { entity Principal; entity Resource; }");
  assert.deepEqual(bare.problems, ['it does not declare action cMCP::Action::"call_tool"']);
  const other = fit(
    "namespace cMCP { entity Principal; entity Resource; action call_tool appliesTo { principal: Principal, resource: Principal }; }",
  );
  assert.match(other.problems.join(), /^its action "call_tool" does not apply to cMCP::Principal and cMCP::Resource$/);
  const further = fit(call("", "action get_prompt appliesTo { principal: Principal, resource: Resource };"));
  assert.deepEqual(further.problems, []);
  assert.match(further.warnings.join(), /action "get_prompt" does not apply .*: such requests are denied$/);
  assert.deepEqual([...further.projection.contexts.keys()], ["call_tool"]);
  const both = fit(
    call("", "action complete appliesTo { principal: Principal, resource: [Prompt, ResourceItem] };"),
  ).projection;
  assert.deepEqual([...both.contexts.keys()].toSorted(), ["call_tool", "complete"]);
  assert.deepEqual([...both.resources.keys()].toSorted(), ["cMCP::Prompt", "cMCP::Resource", "cMCP::ResourceItem"]);
});

void test("an action per tool is checked against the catalog's, or the schema's own without a catalog", () => {
  const text =
    "entity Agent; entity Resource; action ReadFile appliesTo { principal: Agent, resource: Resource }; action " +
    "SendMail appliesTo { principal: Agent, resource: Resource };";
  const shape = "per-tool-action";
  assert.deepEqual([...fit(text, shape).projection.contexts.keys()].toSorted(), ["ReadFile", "SendMail"]);
  const known = fit(text, shape, ["ReadFile", "Other"]);
  assert.deepEqual([...known.projection.contexts.keys()], ["ReadFile"]);
  assert.deepEqual(known.problems, []);
  assert.deepEqual(known.warnings, [
    'schema.cedarschema does not declare Action::"Other": calls of that tool are denied until it does',
  ]);
  const none = fit(text, shape, ["Other"]);
  assert.deepEqual([none.problems, none.warnings], [["it declares no action of a tool in the catalog"], []]);
  const wrong = fit(
    "entity Agent; entity Resource; action A appliesTo { principal: Resource, resource: Resource };",
    shape,
  );
  assert.deepEqual(wrong.problems, ['its action "A" does not apply to Agent and Resource']);
  assert.deepEqual(
    fit("entity Resource; action A appliesTo { principal: Resource, resource: Resource };", shape).problems,
    ['its action "A" does not apply to Agent and Resource', "it does not declare entity type Agent"],
  );
});
