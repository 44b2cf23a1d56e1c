/** Resources, prompts, completion and servers' own requests: decided as tools are, and denied where a bundle says nothing about them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { lintBundle, writeSchema } from "./authoring/index.ts";
import { compilePolicy } from "./compile/compile.ts";
import type { CompiledPolicy } from "./compiled.ts";
import { MAX_ATTRIBUTE_BYTES } from "./evaluate/bounds.ts";
import type { GovernedFacts } from "./facts.ts";
import {
  PERMIT_ALL,
  WORKER,
  asked,
  bundleOf,
  call,
  catalogWith,
  onPrompt,
  onResource,
  prompt,
  resource,
  schemaText,
} from "./test-support.ts";

const SERVER = {
  ...resource("x://a").server,
  name: "ledger",
  settings: {
    name: "ledger",
    era: "auto",
    credential: null,
    authorization: null,
    clientCertificate: false,
    provenance: null,
  },
} as const;
const ROWS = resource("x://rows", { mimeType: "text/csv", server: SERVER });
const ROW = resource("x://rows/{id}", { complianceDomain: "mnpi", sensitivityLevel: "mnpi", server: SERVER });
const SUMMARY = prompt("summary", ["year"]);
const CATALOG = catalogWith([ROWS, ROW], [SUMMARY]);

const EVERYTHING: readonly GovernedFacts[] = [
  onResource("list_resource", ROWS),
  onResource("read_resource", ROWS),
  onResource("subscribe_resource", ROWS),
  onResource("complete", ROW),
  onPrompt("get_prompt", SUMMARY, { year: "2026" }),
  onPrompt("complete", SUMMARY),
  call({}, { action: "ask_client", requestMethod: "sampling/createMessage" }),
  onResource("ask_client", ROWS, { requestMethod: "elicitation/create" }),
  onPrompt("ask_client", SUMMARY, {}, { requestMethod: "roots/list" }),
];

async function compile(cedar: string, schema?: string): Promise<CompiledPolicy> {
  return await compilePolicy(bundleOf(cedar, schema), CATALOG, { workerUrl: WORKER });
}

/** The bundle under the schema that is written for it and this catalog. */
async function compileWritten(cedar: string): Promise<CompiledPolicy> {
  return await compile(cedar, writeSchema(bundleOf(cedar), CATALOG));
}

const decisions = (policy: CompiledPolicy): string[] => [
  ...new Set(
    EVERYTHING.map((facts) => policy.decide(facts)).map(({ decision, rule, cause }) => `${decision} ${rule} ${cause}`),
  ),
];

test("a bundle that says nothing about them denies them, even one that permits everything", async () => {
  const older = 'permit (principal, action, resource); forbid (principal == Agent::"nobody", action, resource);';
  for (const policy of [
    await compile(PERMIT_ALL),
    await compile(PERMIT_ALL, ""),
    await compile(PERMIT_ALL, "not a schema"),
    await compile(older, ""),
  ]) {
    assert.deepEqual(decisions(policy), ["deny default-deny no-policy"]);
    assert.equal(policy.decide(call({ path: "a" })).decision, "allow");
    assert.deepEqual(policy.redactionOf(onResource("read_resource", ROWS)), { redactFields: [], keepFields: [] });
  }
});

test("an action that the schema declares is under the bundle's rules, and no other", async () => {
  const policy = await compileWritten(PERMIT_ALL);
  assert.deepEqual(policy.warnings, []);
  assert.deepEqual(
    EVERYTHING.map((facts) => policy.decide(facts).decision),
    ["allow", "allow", "allow", "allow", "allow", "allow", "deny", "deny", "deny"],
    "what servers ask of clients is not declared unless a rule names it",
  );
  const asking = await compileWritten(
    `${PERMIT_ALL} forbid (principal, action == cMCP::Action::"ask_client", resource) when { context has request_method && context.request_method == "sampling/createMessage" };`,
  );
  assert.deepEqual(
    EVERYTHING.slice(-3).map((facts) => asking.decide(facts).decision),
    ["deny", "allow", "allow"],
  );
});

test("each action is permitted by itself", async () => {
  for (const [action, allowed] of [
    ["list_resource", 0],
    ["read_resource", 1],
    ["subscribe_resource", 2],
    ["get_prompt", 4],
  ] as const) {
    const policy = await compileWritten(`permit (principal, action == cMCP::Action::"${action}", resource);`);
    assert.deepEqual(
      EVERYTHING.flatMap((facts, index) => (policy.decide(facts).decision === "allow" ? [index] : [])),
      [allowed],
      action,
    );
  }
});

test("rules name a resource by its URI, a template by its text, and a prompt by its name", async () => {
  const policy = await compileWritten(`
    @id("row") @redact_fields("ssn") permit (principal, action == cMCP::Action::"read_resource", resource == cMCP::ResourceItem::"x://rows/{id}");
    @id("summary") permit (principal, action, resource == cMCP::Prompt::"summary");`);
  const one = onResource("read_resource", ROW, { resource: asked(ROW, "x://rows/7") });
  assert.deepEqual(
    [policy.decide(one).decision, policy.decide(one).rule, policy.decide(one).redactFields],
    ["redact", "row", ["ssn"]],
  );
  assert.deepEqual(policy.redactionOf(one), { redactFields: ["ssn"], keepFields: [] });
  assert.equal(policy.decide(onResource("read_resource", ROWS)).decision, "deny");
  assert.equal(policy.decide(onPrompt("get_prompt", SUMMARY, { year: "1" })).rule, "summary");
});

test("what the catalog and the request say reaches the rules", async () => {
  const session = 'context.session_max_sensitivity == "public" && principal.session_id == "5f0c"';
  const policy = await compileWritten(`
    @id("rows") permit (principal, action == cMCP::Action::"read_resource", resource) when { ${session} && resource.uri == "x://rows" && !(resource has uri_template) && resource.server_name == "ledger" && resource has mime_type && resource.mime_type == "text/csv" };
    @id("row") permit (principal, action == cMCP::Action::"read_resource", resource) when { resource.uri like "x://rows/*" && resource has uri_template && resource.uri_template == "x://rows/{id}" && context.compliance_domain == "mnpi" && resource.sensitivity_level == "mnpi" };
    @id("not-row-9") forbid (principal, action == cMCP::Action::"read_resource", resource) when { context.arguments has id && context.arguments.id == "9" };
    @id("years") permit (principal, action == cMCP::Action::"get_prompt", resource) when { resource.prompt_name == "summary" && context.arguments.year == "2026" };
    @id("completion") permit (principal, action == cMCP::Action::"complete", resource) when { context.argument_name == "year" && !(context.arguments has year) };
    @id("asking") permit (principal, action == cMCP::Action::"ask_client", resource) when { context.request_method == "roots/list" && resource is cMCP::Resource && resource.tool_name == "read_file" };`);
  const rule = (facts: GovernedFacts): string => policy.decide(facts).rule;
  const row = (id: string) => onResource("read_resource", ROW, { resource: asked(ROW, `x://rows/${id}`) });
  assert.deepEqual(
    [rule(onResource("read_resource", ROWS)), rule(row("7")), rule(row("9"))],
    ["rows", "row", "not-row-9"],
  );
  assert.deepEqual(
    [rule(onPrompt("get_prompt", SUMMARY, { year: "2026" })), rule(onPrompt("get_prompt", SUMMARY, { year: "2025" }))],
    ["years", "default-deny"],
  );
  const completing = (argumentName: string, known = {}) =>
    onPrompt("complete", SUMMARY, {}, { completion: { argumentName, known } });
  assert.deepEqual(
    [rule(completing("year")), rule(completing("year", { year: "2" })), rule(completing("month"))],
    ["completion", "default-deny", "default-deny"],
  );
  const asking = (requestMethod: string) => call({ path: "a" }, { action: "ask_client", requestMethod });
  assert.deepEqual(
    [
      rule(asking("roots/list")),
      rule(asking("sampling/createMessage")),
      rule(onResource("ask_client", ROWS, { requestMethod: "roots/list" })),
    ],
    ["asking", "default-deny", "default-deny"],
  );
});

test("a prompt's argument of another type, a missing one, and a URI over its bound deny", async () => {
  const policy = await compileWritten(
    'permit (principal, action == cMCP::Action::"get_prompt", resource) when { context.arguments.year != "" }; ' +
      'permit (principal, action == cMCP::Action::"read_resource", resource) when { resource.uri like "x:*" };',
  );
  assert.equal(policy.decide(onPrompt("get_prompt", SUMMARY, { year: 5 })).cause, "request-invalid");
  assert.equal(policy.decide(onPrompt("get_prompt", SUMMARY, {})).cause, "request-invalid");
  assert.equal(
    policy.decide(
      onResource("read_resource", ROWS, {
        resource: { ...asked(ROWS), uri: `x://${"a".repeat(MAX_ATTRIBUTE_BYTES)}` },
      }),
    ).cause,
    "context-bound",
  );
});

test("session sensitivity closes a resource, and the cause says so", async () => {
  const policy = await compileWritten(
    `permit (principal, action == cMCP::Action::"read_resource", resource); @id("late") forbid (principal, action == cMCP::Action::"read_resource", resource) when { context.session_max_sensitivity == "mnpi" };`,
  );
  const verdict = policy.decide(onResource("read_resource", ROWS, { sessionMaxSensitivity: "mnpi" }));
  assert.deepEqual([verdict.rule, verdict.cause], ["late", "sensitivity"]);
  assert.equal(policy.decide(onResource("read_resource", ROWS)).decision, "allow");
});

test("names that nothing has are warned of, actions that no request has are refused", async () => {
  const { warnings } = await compileWritten(
    'permit (principal, action == cMCP::Action::"read_resource", resource == cMCP::ResourceItem::"x://gone"); ' +
      'permit (principal, action, resource == cMCP::Prompt::"gone");',
  );
  assert.match(warnings.join("\n"), /names resource "x:\/\/gone", which the catalog does not have/);
  assert.match(warnings.join("\n"), /names prompt "gone", which the catalog does not have/);
  const refused = async (cedar: string, message: RegExp): Promise<void> => {
    await assert.rejects(
      compile(cedar),
      (thrown) =>
        thrown instanceof CmcpError && thrown.code === "POLICY_BUNDLE_INVALID" && message.test(thrown.message),
    );
  };
  await refused(
    `${PERMIT_ALL} forbid (principal, action == cMCP::Action::"resources/read", resource);`,
    /the actions of this shape are .*cMCP::Action::"read_resource"/,
  );
  await refused(
    `${PERMIT_ALL} forbid (principal == Agent::"a", action, resource == cMCP::Prompt::"summary");`,
    /names cMCP:: entities/,
  );
});

test("a schema whose further action says something else is used without it, with a warning", async () => {
  const schema = schemaText().replace(
    "action call_tool",
    "action read_resource appliesTo { principal: Principal, resource: Resource, context: {} }; action call_tool",
  );
  const policy = await compile(PERMIT_ALL, schema);
  assert.deepEqual(policy.warnings, [
    'schema.cedarschema: action "read_resource" does not apply to cMCP::Principal and cMCP::ResourceItem: such requests are denied',
  ]);
  assert.deepEqual(
    [policy.decide(call({})).decision, policy.decide(onResource("read_resource", ROWS)).decision],
    ["allow", "deny"],
  );
});

test("it is left out even where another action is about the same things", async () => {
  const schema = schemaText().replace(
    "action call_tool",
    "entity ResourceItem; action read_resource appliesTo { principal: Principal, resource: Resource, context: {} " +
      "}; action list_resource appliesTo { principal: Principal, resource: ResourceItem, context: {} }; action " +
      "call_tool",
  );
  const policy = await compile(PERMIT_ALL, schema);
  assert.deepEqual(
    [policy.decide(onResource("list_resource", ROWS)).decision, policy.decide(onResource("read_resource", ROWS)).rule],
    ["allow", "default-deny"],
  );
});

test("a fact that only one action has cannot be required of another", async () => {
  const { warnings } = await compile(PERMIT_ALL, schemaText("", "request_method: String"));
  assert.match(warnings.join(), /it requires context\.request_method, which only requests of action "ask_client" have/);
  const optional = await compile(
    `${PERMIT_ALL} @id("asks") forbid (principal, action, resource) when { context has request_method };`,
    schemaText("", "request_method?: String"),
  );
  assert.match(optional.warnings.join(), /reads context\.request_method, which the schema does not declare as String/);
});

test("a schema declares an action for some of what it could be about", async () => {
  const schema = schemaText().replace(
    "action call_tool",
    "entity Prompt = { prompt_name: String }; action complete appliesTo { principal: Principal, resource: " +
      "Prompt, context: {} }; action call_tool",
  );
  const policy = await compile(
    `${PERMIT_ALL} @id("p") forbid (principal, action == cMCP::Action::"complete", resource) when { resource.prompt_name == "summary" };`,
    schema,
  );
  assert.deepEqual(policy.warnings, []);
  assert.deepEqual(
    [policy.decide(onPrompt("complete", SUMMARY)).rule, policy.decide(onResource("complete", ROW)).rule],
    ["p", "default-deny"],
  );
});

test("a rule about tools that does not say so leaves resources denied, not open", async () => {
  const cedar = 'permit (principal, action, resource) when { resource.tool_name == "read_file" };';
  const policy = await compileWritten(cedar);
  assert.match(policy.warnings.join(), /does not describe the rules.*The built-in schema is used instead/);
  assert.equal(policy.decide(call({})).decision, "allow");
  assert.deepEqual(decisions(policy), ["deny default-deny no-policy"]);
});

test("the schema that is written has the actions there is something for", () => {
  const actions = (catalog: Parameters<typeof writeSchema>[1]): string[] =>
    Array.from(writeSchema(bundleOf(PERMIT_ALL), catalog).matchAll(/action "(\w+)"/g), ([, name = ""]) => name);
  assert.deepEqual(actions(catalogWith([], [])), ["call_tool"]);
  assert.deepEqual(actions(catalogWith([ROWS], [])), [
    "call_tool",
    "list_resource",
    "read_resource",
    "subscribe_resource",
  ]);
  assert.deepEqual(actions(catalogWith([ROW], [])), [
    "call_tool",
    "complete",
    "list_resource",
    "read_resource",
    "subscribe_resource",
  ]);
  assert.deepEqual(actions(catalogWith([], [SUMMARY])), ["call_tool", "complete", "get_prompt"]);
});

test("rules about resources and prompts that do nothing are found", () => {
  const lint = (cedar: string): readonly string[] =>
    lintBundle(bundleOf(cedar, writeSchema(bundleOf(cedar), CATALOG)), CATALOG);
  const permit = (scope: string): string => `permit (principal, ${scope});`;
  assert.deepEqual(lint(permit('action == cMCP::Action::"read_resource", resource')), []);
  assert.match(
    lint(`${PERMIT_ALL} ${permit('action == cMCP::Action::"get_prompt", resource == cMCP::Prompt::"gone"')}`).join(
      "\n",
    ),
    /rules\.cedar#2 never matches: its scope names nothing of the catalog/,
  );
  const overruled = `${permit('action == cMCP::Action::"read_resource", resource == cMCP::ResourceItem::"x://rows"')} forbid (principal, action == cMCP::Action::"read_resource", resource);`;
  assert.match(
    lint(overruled).join("\n"),
    /rules\.cedar#1 never allows anything: rules\.cedar#2 forbids all it permits/,
  );
  assert.deepEqual(
    lint(
      `${permit('action in [cMCP::Action::"read_resource", cMCP::Action::"list_resource"], resource')} forbid (principal, action == cMCP::Action::"read_resource", resource);`,
    ),
    [],
  );
});
