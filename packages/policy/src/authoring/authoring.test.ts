import assert from "node:assert/strict";
import { test } from "node:test";
import { readBundle } from "../bundle/index.ts";
import { compilePolicy } from "../compile/compile.ts";
import {
  MANIFEST,
  READ_FILE,
  SEND_MAIL,
  WORKER,
  catalogWith,
  prompt,
  resource,
  bundleOf,
  call,
  catalogOf,
  schemaText,
  tool,
} from "../test-support.ts";
import { lintBundle, redactionsOf, writeSchema } from "./index.ts";

const CATALOG = catalogOf(READ_FILE, SEND_MAIL);
const NO_CATALOG = catalogOf();
const withSchema = (cedar: string, schema: string) =>
  readBundle({ "manifest.json": JSON.stringify(MANIFEST), "rules.cedar": cedar, "schema.cedarschema": schema });

for (const [shape, cedar] of Object.entries({
  call_tool: `permit (principal == cMCP::Principal::"agent-1", action, resource == cMCP::Resource::"read_file") when { context.session_max_sensitivity == "public" && resource.compliance_domain == "external" };
    forbid (principal, action, resource) when { context.arguments has path && context.arguments.path == "/etc/shadow" };`,
  "per-tool-action": `permit (principal == Agent::"agent-1", action == Action::"ReadFile", resource) when { context.session_max_sensitivity == "public" };
    forbid (principal, action, resource) when { context.arguments has path && context.arguments.path == "/etc/shadow" };`,
})) {
  test(`the schema written for a ${shape} bundle is one it compiles under without a warning`, async () => {
    const before = withSchema(cedar, "entity Unused;");
    assert.match((await compilePolicy(before, CATALOG, { workerUrl: WORKER })).warnings.join(), /does not describe/);
    const after = withSchema(cedar, writeSchema(before, CATALOG));
    const policy = await compilePolicy(after, CATALOG, { workerUrl: WORKER });
    assert.deepEqual([policy.shape, policy.warnings], [shape, []]);
    assert.equal(policy.decide(call({ path: "/home/x" })).decision, "allow");
    assert.equal(policy.decide(call({ path: "/etc/shadow" })).decision, "deny");
    assert.equal(writeSchema(after, CATALOG), after.schemaText, "written again it is the same");
  });
}

test("a rule that needs approvals is held to the configuration's approvers", () => {
  const rules = (annotations: string) =>
    bundleOf(
      `permit (principal, action, resource); @id("ask") @aarm_decision("step_up") ${annotations} forbid (principal, action, resource) when { context.session_max_sensitivity == "mnpi" };`,
    );
  const bundle = rules('@approvers("alice,bob") @approvals("2")');
  assert.deepEqual(lintBundle(bundle, NO_CATALOG, ["alice", "bob"]), []);
  assert.deepEqual(lintBundle(bundle, NO_CATALOG), [], "nobody says who the approvers are");
  assert.match(lintBundle(bundle, NO_CATALOG, ["alice"]).join(), /enclave\.approvers does not list bob/);
  assert.match(lintBundle(rules('@approvals("2")'), NO_CATALOG, ["alice"]).join(), /can only deny: it needs 2/);
});

test("a rule that an owner's permission lifts is held to the configuration's approvers", () => {
  const bundle = bundleOf(
    'permit (principal, action, resource); @id("stay") @disclosure("alice,bob") forbid (principal, action, resource) ' +
      'when { context.session_max_sensitivity == "mnpi" };',
  );
  assert.deepEqual(lintBundle(bundle, NO_CATALOG, ["alice", "bob"]), []);
  assert.match(lintBundle(bundle, NO_CATALOG, ["alice"]).join(), /enclave\.approvers does not list bob/);
});

test("a bundle without anything odd lints clean, with and without tools", () => {
  const bundle = bundleOf(
    '@id("a") permit (principal, action, resource == cMCP::Resource::"read_file"); @id("b") forbid (principal, ' +
      'action, resource) when { context.session_max_sensitivity == "mnpi" };',
  );
  assert.deepEqual([lintBundle(bundle, CATALOG), lintBundle(bundle, NO_CATALOG)], [[], []]);
});

test("each kind of useless rule is found, and nothing else", () => {
  const read = 'resource == cMCP::Resource::"read_file"';
  for (const [cedar, ...findings] of [
    [
      'permit (principal, action, resource); permit (principal, action, resource == cMCP::Resource::"gone");',
      /names tool "gone", which the catalog does not have/,
      /rules\.cedar#2 never matches/,
    ],
    [
      `permit (principal, action, resource); permit (principal, action, ${read}) when { context.session_max_sensitivity == "a" && context.session_max_sensitivity == "b" && false };`,
      /#2.*(impossible|false)/,
    ],
    [
      `permit (principal, action, ${read}); forbid (principal, action, ${read});`,
      /#1 never allows anything: rules\.cedar#2 forbids/,
    ],
    [
      "permit (principal, action, resource); forbid (principal, action, resource);",
      /#1 never allows anything: rules\.cedar#2 forbids/,
    ],
    [
      '@id("x") permit (principal, action, resource); @id("x") forbid (principal, action, resource) when { ' +
        'context.session_max_sensitivity == "a" };',
      /#1, rules\.cedar#2 share the @id x/,
    ],
    [
      'forbid (principal, action, resource) when { context.session_max_sensitivity == "a" };',
      /no rule permits anything/,
    ],
  ] as const) {
    const found = lintBundle(bundleOf(cedar), CATALOG);
    assert.equal(found.length, findings.length, `${cedar}\n${found.join("\n")}`);
    for (const finding of findings)
      assert.ok(
        found.some((text) => finding.test(text)),
        `${finding}\n${found.join("\n")}`,
      );
  }
});

test("a permit that is overruled for some tools or some principals only is no finding", () => {
  for (const forbid of [
    'forbid (principal, action, resource == cMCP::Resource::"read_file");',
    'forbid (principal == cMCP::Principal::"x", action, resource);',
    'forbid (principal, action, resource) when { context.session_max_sensitivity == "a" };',
  ]) {
    assert.deepEqual(lintBundle(bundleOf(`permit (principal, action, resource); ${forbid}`), CATALOG), [], forbid);
  }
});

test("what nests too deep is refused before it is parsed", () => {
  const deep = bundleOf(`permit (principal, action, resource) when { ${"(".repeat(400)}true${")".repeat(400)} };`);
  assert.throws(() => lintBundle(deep, CATALOG), { code: "POLICY_BUNDLE_INVALID" });
  assert.throws(() => writeSchema(deep, CATALOG), { code: "POLICY_BUNDLE_INVALID" });
});

test("an argument that tools type differently is left out of the schema", () => {
  const other = tool("count", { type: "object", properties: { path: { type: "integer" } } });
  const schema = writeSchema(
    bundleOf(
      'permit (principal, action, resource) when { context.arguments.path == "a" };',
      schemaText("path: String"),
    ),
    catalogOf(READ_FILE, other),
  );
  assert.doesNotMatch(schema, /path/);
});

test("a rule that redacts is told with the tools it reaches, and whether it reaches what has no schema", () => {
  const catalog = catalogWith([resource("x://a")], [prompt("p")]);
  const reached = (scope: string): unknown =>
    redactionsOf(
      bundleOf(`@redact_fields("ssn") @keep_fields("note") permit (${scope}); permit (principal, action, resource);`),
      catalog,
    ).map(({ rule, redactFields, keepFields, tools, reachesUnstructured }) => [
      rule,
      redactFields,
      keepFields,
      tools.toSorted(),
      reachesUnstructured,
    ]);
  const told = (tools: readonly string[], unstructured: boolean): unknown => [
    ["rules.cedar#1", ["ssn"], ["note"], tools, unstructured],
  ];
  assert.deepEqual(
    reached('principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"read_file"'),
    told(["read_file"], false),
  );
  assert.deepEqual(
    reached('principal, action == cMCP::Action::"call_tool", resource'),
    told(["read_file", "send_mail"], false),
  );
  assert.deepEqual(reached('principal, action == cMCP::Action::"get_prompt", resource'), told([], true));
  assert.deepEqual(
    reached("principal, action, resource"),
    told(["read_file", "send_mail"], false),
    "the bundle's own schema has no other action",
  );
  assert.deepEqual(reached('principal, action == cMCP::Action::"list_resource", resource'), told([], false));
});
