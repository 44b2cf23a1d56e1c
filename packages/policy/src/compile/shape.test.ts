/** Both shapes of bundle, and schemas that do not describe their rules. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { PERMIT_ALL, READ_FILE, SEND_MAIL, call, compile, schemaText, tool } from "../test-support.ts";

async function refused(cedar: string, message: RegExp): Promise<void> {
  await assert.rejects(
    compile(cedar),
    (thrown) => thrown instanceof CmcpError && thrown.code === "POLICY_BUNDLE_INVALID" && message.test(thrown.message),
  );
}

const OLD = `${PERMIT_ALL}
forbid (principal == Agent::"agent-1", action == Action::"SendMail", resource == Resource::"send_mail") when { context.session_max_sensitivity == "mnpi" };
forbid (principal, action, resource) when { !context.baa_covered && context.workflow_id == "default" };`;
// What bundles written for the older shape carry: JSON with comments that describes the other shape.
const OTHER_SHAPE = `// the schema
{"cMCP": {"entityTypes": {"Principal": {}, "Resource": {}}, "actions": {"call_tool": {"appliesTo": {
  "principalTypes": ["cMCP::Principal"], // who
  "resourceTypes": ["cMCP::Resource"], "context": {"type": "Record", "attributes": {"url": {"type": "String", "required": false}}}}}}}}`;

void test("rules that name bare entities decide per-tool actions, whatever the schema says", async () => {
  const policy = await compile(OLD, OTHER_SHAPE);
  assert.equal(policy.shape, "per-tool-action");
  assert.equal(policy.warnings.length, 1);
  assert.match(
    policy.warnings[0] ?? "",
    /schema\.cedarschema does not describe the rules, such as rules\.cedar#2: it declares no action of a tool.*To correct it, declare entities Agent and Resource/,
  );
  const mail = (sessionMaxSensitivity: string) => policy.decide(call({}, { tool: SEND_MAIL, sessionMaxSensitivity }));
  assert.equal(mail("public").decision, "allow");
  assert.deepEqual([mail("mnpi").decision, mail("mnpi").rule], ["deny", "rules.cedar#2"]);
  assert.equal(policy.decide(call({}, { sessionMaxSensitivity: "mnpi" })).decision, "allow");
  assert.equal(policy.decide(call({}, { tool: { ...READ_FILE, baaCovered: false } })).rule, "rules.cedar#3");
});

void test("a schema that describes bare rules is used without a word", async () => {
  const own = `entity Agent; entity Resource;
    action ReadFile, SendMail appliesTo { principal: Agent, resource: Resource, context: { session_max_sensitivity: String, baa_covered: Bool, workflow_id: String } };`;
  const policy = await compile(OLD, own);
  assert.deepEqual(policy.warnings, []);
  assert.equal(policy.decide(call({}, { tool: SEND_MAIL, sessionMaxSensitivity: "mnpi" })).decision, "deny");
});

void test("a tool that the bundle's own schema leaves out is denied, with a warning", async () => {
  const own =
    "entity Agent; entity Resource; action ReadFile appliesTo { principal: Agent, resource: Resource, context: {} };";
  const policy = await compile(
    'permit (principal, action, resource); forbid (principal == Agent::"mallory", action, resource);',
    own,
  );
  assert.match(policy.warnings.join(), /does not declare Action::"SendMail": calls of that tool are denied/);
  assert.deepEqual(
    [policy.decide(call()).decision, policy.decide(call({}, { tool: SEND_MAIL })).cause],
    ["allow", "request-invalid"],
  );
});

void test("rules that name no entity take the shape of the schema", async () => {
  assert.equal((await compile(PERMIT_ALL, OTHER_SHAPE)).shape, "call_tool");
  assert.equal(
    (
      await compile(
        PERMIT_ALL,
        "entity Agent; entity Resource; action ReadFile, SendMail appliesTo { principal: Agent, resource: Resource };",
      )
    ).shape,
    "per-tool-action",
  );
  assert.equal((await compile(PERMIT_ALL, "not a schema")).shape, "call_tool");
});

void test("names that no request has are refused, because their rules would never match", async () => {
  const forbid = (scope: string): string => `${PERMIT_ALL} forbid (${scope});`;
  await refused(
    `${forbid('principal, action, resource == Resource::"a"')} forbid (principal, action, resource == cMCP::Resource::"a");`,
    /rules\.cedar#3 names cMCP:: entities and rules\.cedar#2 names bare/,
  );
  await refused(forbid('principal == User::"a", action, resource'), /entity type User, which no request has/);
  await refused(forbid("principal is Group, action, resource"), /entity type Group/);
  await refused(
    `${PERMIT_ALL} forbid (principal, action, resource) when { principal in Team::"a" };`,
    /entity type Team/,
  );
  await refused(
    `${PERMIT_ALL} forbid (principal, action, resource) when { [Team::"a"].contains(principal) };`,
    /entity type Team/,
  );
  await refused(forbid('principal, action == Action::"call_tool", resource'), /write cMCP::Action::"call_tool"/);
  await refused(
    forbid('principal, action in [cMCP::Action::"read_file"], resource'),
    /the actions of this shape are cMCP::Action::"call_tool", /,
  );
});

void test("names the catalog does not have are warned of", async () => {
  const policy = await compile(
    `${PERMIT_ALL} forbid (principal, action == Action::"Readfile", resource == Resource::"readfile");`,
    "",
  );
  assert.match(policy.warnings.join("\n"), /rules\.cedar#2 names Action::"Readfile", which no tool/);
  assert.match(policy.warnings.join("\n"), /rules\.cedar#2 names tool "readfile", which the catalog does not have/);
});

void test("schemas in every syntax are read", async () => {
  const json = (bool: string): string => `// rules read
{"cMCP": {"entityTypes": {"Principal": {}, "Resource": {"shape": {"type": "Record", "attributes": {"baa_covered": {"type": "${bool}"}}}}},
 "actions": {"call_tool": {"appliesTo": {"principalTypes": ["Principal"], "resourceTypes": ["cMCP::Resource"], "context": {"type": "Record", "attributes": {"session_id": {"type": "String"}}}}}}}}`;
  const common = `namespace cMCP { type Context = { session_id: String }; entity Principal, Resource = { baa_covered: Bool };
    action call_tool appliesTo { principal: Principal, resource: Resource, context: Context }; }`;
  const cedar = `${PERMIT_ALL} forbid (principal, action, resource) when { !resource.baa_covered || context.session_id == "x" };`;
  for (const schema of [
    json("Bool"),
    json("Boolean"),
    common.replace("Principal, Resource", "Principal; entity Resource"),
  ]) {
    const policy = await compile(cedar, schema);
    assert.deepEqual(policy.warnings, []);
    assert.equal(policy.decide(call()).decision, "allow");
    assert.equal(policy.decide(call({}, { sessionId: "x" })).decision, "deny");
  }
});

void test("a schema that cannot be used gives a warning, and the rules still hold", async () => {
  const cedar = `${PERMIT_ALL} forbid (principal, action, resource == cMCP::Resource::"read_file") when { context.session_max_sensitivity == "mnpi" };`;
  const needs = (context: string): string =>
    `namespace cMCP { entity Principal; entity Resource; action call_tool appliesTo { principal: Principal, resource: Resource, context: { ${context} } }; }`;
  const cases: readonly [string, RegExp][] = [
    ["{ not json", /JSON|expected/],
    ["entity ;", /unexpected token/],
    [
      '{"cMCP": {"entityTypes": {"Principal": {"shape": {"type": "Record", "attributes": {"a": {"type": "Strin"}}}}}, "actions": {}}}',
      /Strin/,
    ],
    [needs("session_max_sensitivity: Long"), /requires context\.session_max_sensitivity with another type than String/],
    [
      needs("session_max_sensitivity: String, risk_score: Long"),
      /requires context\.risk_score, which the gateway does not supply/,
    ],
    [
      needs("session_id: String"),
      /rules\.cedar#2 reads context\.session_max_sensitivity, which the schema does not declare/,
    ],
    [
      needs("session_max_sensitivity: String, arguments: { from: ipaddr }"),
      /requires argument from with a type that no JSON argument has/,
    ],
    [needs("session_max_sensitivity: String, arguments: { __extn?: String }"), /argument named __extn/],
    [needs("session_max_sensitivity: String, arguments: String"), /something else than a record/],
    [schemaText().replace("principal: Principal", "principal: Resource"), /does not apply to cMCP::Principal/],
    [schemaText().replace("call_tool", "other"), /does not declare action cMCP::Action::"call_tool"/],
  ];
  for (const [schema, message] of cases) {
    const policy = await compile(cedar, schema);
    assert.match(policy.warnings.join("\n"), message);
    assert.match(
      policy.warnings.join("\n"),
      /The built-in schema is used instead\. To correct it, declare entities Principal and Resource/,
    );
    assert.equal(policy.decide(call()).decision, "allow");
    assert.equal(policy.decide(call({}, { sessionMaxSensitivity: "mnpi" })).decision, "deny");
  }
});

void test("a forbid that cannot be evaluated as written denies its whole scope", async () => {
  const conditions: readonly [string, RegExp][] = [
    [
      'context.sensitivity_level_int == "3"',
      /types String and Long are not compatible|types Long and String are not compatible/,
    ],
    [
      "context has injection_events && context.injection_events > 0",
      /context\.injection_events, which the gateway does not supply/,
    ],
    ["context has arguments && context.arguments has secret", /argument secret, which the schema does not declare/],
    ['context.arguments == {path: "x"}', /arguments as a whole/],
    ["{a: context}.a has nothing", /context as a whole/],
    [
      'resource has tool_category && resource.tool_category == "publishing"',
      /tool_category, which the catalog format does not carry/,
    ],
    ["principal has clearance", /principal\.clearance, which the gateway does not supply/],
    ["resource has owner", /resource\.owner, which the gateway does not supply/],
  ];
  for (const [condition, message] of conditions) {
    const policy = await compile(
      `${PERMIT_ALL} @id("f") forbid (principal, action, resource == cMCP::Resource::"read_file") when { ${condition} };`,
    );
    assert.match(policy.warnings.join("\n"), message);
    assert.match(
      policy.warnings.join("\n"),
      /rules\.cedar#2 .*until the rule or schema\.cedarschema is corrected every call in its scope is denied/,
    );
    assert.deepEqual(
      [policy.decide(call({ path: "x" })).decision, policy.decide(call({ path: "x" })).rule],
      ["deny", "f"],
    );
    assert.equal(policy.decide(call({}, { tool: SEND_MAIL })).decision, "allow");
  }
});

void test("a permit that cannot be evaluated as written grants nothing", async () => {
  for (const condition of [
    "!(context has injection_events)",
    "!(context.arguments has secret)",
    '!(context.sensitivity_level_int == "3")',
    "context has anything || true",
  ]) {
    const policy = await compile(`permit (principal, action, resource) when { ${condition} };`);
    assert.match(policy.warnings.join("\n"), /it grants nothing/);
    assert.deepEqual(
      [policy.decide(call({ path: "x" })).decision, policy.decide(call({ path: "x" })).cause],
      ["deny", "no-policy"],
    );
  }
});

void test("where no schema declares them, arguments have the types of the approved input schemas", async () => {
  const cedar = `permit (principal, action, resource); forbid (principal, action == Action::"ReadFile", resource) when { context.arguments.path like "/etc/*" };`;
  const policy = await compile(cedar, "");
  const paths = (path: string | number) => policy.decide(call({ path })).decision;
  assert.deepEqual([paths("/home/a"), paths("/etc/passwd"), paths(5)], ["allow", "deny", "deny"]);
  assert.equal(policy.decide(call({})).cause, "request-invalid");
  assert.equal(policy.decide(call({ to: "a" }, { tool: SEND_MAIL })).decision, "allow");
});

void test("an argument that one tool declares is seen on every tool", async () => {
  const cedar = `${PERMIT_ALL} forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`;
  const policy = await compile(cedar, "");
  const mail = (path: string) => policy.decide(call({ path }, { tool: SEND_MAIL })).decision;
  assert.deepEqual([mail("/home/a"), mail("/etc/passwd")], ["allow", "deny"]);
});

void test("an argument whose type the approved schemas do not settle denies what rests on it", async () => {
  const withPath = (type: JsonObject) => tool("other_tool", { type: "object", properties: { path: type } });
  const cedar = `${PERMIT_ALL} forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`;
  for (const type of [{ type: "integer" }, { type: ["string", "null"] }, { type: "number" }, {}]) {
    const policy = await compile(cedar, "", [READ_FILE, withPath(type)]);
    assert.match(policy.warnings.join("\n"), /reads argument path/);
    assert.equal(policy.decide(call({ path: "/home/a" })).decision, "deny");
  }
});

void test("without a catalog a bundle is checked against its own schema", async () => {
  const own =
    "entity Agent; entity Resource; action ReadFile appliesTo { principal: Agent, resource: Resource, context: { session_id: String } };";
  const { warnings, shape } = await compile(
    'permit (principal, action == Action::"ReadFile", resource == Resource::"x") when { context.session_id != "" };',
    own,
    [],
  );
  assert.deepEqual([warnings, shape], [[], "per-tool-action"]);
});
