/** What callers and bundles could use to turn a deny into an allow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { PERMIT_ALL, READ_FILE, SEND_MAIL, call, compile, schemaText, tool } from "./test-support.ts";

/** UTF-8 bytes of one text attribute at most. */
const MAX_ATTRIBUTE_BYTES = 2_048;
const NO_ETC = `${PERMIT_ALL}
@id("no-etc") forbid (principal, action, resource) when { context.arguments.path like "/etc/*" };`;
const GUARDED = `${PERMIT_ALL}
@id("no-etc") forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`;

void test("an argument of the declared type is decided on", async () => {
  const policy = await compile(NO_ETC, schemaText("path: String"));
  assert.deepEqual(policy.warnings, []);
  assert.equal(policy.decide(call({ path: "/home/a" })).decision, "allow");
  assert.deepEqual(policy.decide(call({ path: "/etc/passwd" })), {
    decision: "deny",
    rule: "no-etc",
    cause: "policy",
    reason: null,
    redactFields: [],
    keepFields: [],
  });
});

void test("an argument of another type denies", async () => {
  const required = await compile(NO_ETC, schemaText("path: String"));
  const optional = await compile(GUARDED, schemaText("path?: String"));
  const others: readonly JsonValue[] = [
    5,
    true,
    null,
    ["/etc/passwd"],
    {},
    { __extn: { fn: "ip", arg: "127.0.0.1" } },
    { __entity: { type: "cMCP::Principal", id: "root" } },
  ];
  for (const policy of [required, optional]) {
    for (const path of others)
      assert.deepEqual(
        [policy.decide(call({ path })).decision, policy.decide(call({ path })).cause],
        ["deny", "request-invalid"],
      );
  }
  assert.equal(required.decide(call({})).cause, "request-invalid");
  assert.equal(optional.decide(call({})).decision, "allow");
});

void test("no generated argument gets past a forbid that a plain text would meet", async () => {
  const policy = await compile(NO_ETC, schemaText("path: String"));
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const path = value as JsonValue;
      const wanted =
        typeof path === "string" && !path.startsWith("/etc/") && Buffer.byteLength(path) <= MAX_ATTRIBUTE_BYTES
          ? "allow"
          : "deny";
      assert.equal(policy.decide(call({ path })).decision, wanted);
    }),
  );
});

void test("numbers must be whole and exact", async () => {
  const policy = await compile(
    `${PERMIT_ALL} forbid (principal, action, resource) when { context.arguments.amount > 100 };`,
    schemaText("amount: Long"),
  );
  const decide = (amount: JsonValue): string => policy.decide(call({ amount })).decision;
  assert.deepEqual(
    [decide(100), decide(-0), decide(101), decide(1.5), decide(2 ** 53), decide("1")],
    ["allow", "allow", "deny", "deny", "deny", "deny"],
  );
});

void test("sets hold only what the schema says", async () => {
  const policy = await compile(
    `${PERMIT_ALL} forbid (principal, action, resource) when { context.arguments.to.contains("rival@example.org") };`,
    schemaText("to: Set<String>"),
  );
  const decide = (to: JsonValue): string => policy.decide(call({ to })).decision;
  assert.deepEqual(
    [
      decide(["a@example.org"]),
      decide(["rival@example.org"]),
      decide([5]),
      decide("rival@example.org"),
      decide({ 0: "x" }),
    ],
    ["allow", "deny", "deny", "deny", "deny"],
  );
  assert.equal(policy.decide(call({ to: Array.from({ length: 513 }, () => "x") })).cause, "context-bound");
});

void test("records are rebuilt from their declared members", async () => {
  const cedar = `${PERMIT_ALL} forbid (principal, action, resource) when { context.arguments.options has mode && context.arguments.options.mode == "raw" };`;
  const policy = await compile(cedar, schemaText("options: { mode?: String }"));
  const decide = (options: JsonValue): string => policy.decide(call({ options })).decision;
  assert.deepEqual(
    [
      decide({ mode: "raw", more: 1 }),
      decide({ mode: "fine" }),
      decide({ __entity: { type: "cMCP::Resource", id: "x" } }),
      decide(["mode"]),
    ],
    ["deny", "allow", "allow", "deny"],
  );
});

void test("an object with hidden members is not read as an empty one", async () => {
  const policy = await compile(GUARDED, schemaText("path?: String"));
  const map = new Map([["path", "/etc/passwd"]]) as unknown as JsonObject;
  assert.deepEqual([policy.decide(call(map)).decision, policy.decide(call(map)).cause], ["deny", "request-invalid"]);
});

void test("text that is not well-formed denies that call and no other", async () => {
  const policy = await compile(NO_ETC, schemaText("path: String"));
  assert.equal(policy.decide(call({ path: "\ud800" })).cause, "request-invalid");
  assert.equal(policy.decide(call({}, { principal: { id: "\udfff" } })).cause, "request-invalid");
  assert.equal(policy.decide(call({ path: "/home/a" })).decision, "allow");
});

void test("a value over its bound denies, never cut", async () => {
  const policy = await compile(GUARDED, schemaText("path?: String"));
  const verdict = policy.decide(call({ path: "x".repeat(MAX_ATTRIBUTE_BYTES + 1) }));
  assert.deepEqual([verdict.decision, verdict.cause, verdict.rule], ["deny", "context-bound", "context-bound"]);
  assert.equal(policy.decide(call({ path: "é".repeat(MAX_ATTRIBUTE_BYTES / 2) })).decision, "allow");
  assert.equal(policy.decide(call({ path: "é".repeat(MAX_ATTRIBUTE_BYTES / 2 + 1) })).cause, "context-bound");
  assert.equal(
    policy.decide(call({}, { principal: { id: "x".repeat(MAX_ATTRIBUTE_BYTES + 1) } })).cause,
    "context-bound",
  );
});

void test("all values together are bounded", async () => {
  const names = Array.from({ length: 9 }, (_, index) => `a${index}`);
  const reads = names.map((name) => `context.arguments.${name} == "no"`).join(" || ");
  const policy = await compile(
    `${PERMIT_ALL} forbid (principal, action, resource) when { ${reads} };`,
    schemaText(names.map((name) => `${name}: String`).join(", ")),
  );
  const long = (length: number) => call(Object.fromEntries(names.map((name) => [name, "x".repeat(length)])));
  assert.equal(policy.decide(long(1_800)).decision, "allow");
  assert.equal(policy.decide(long(2_000)).cause, "context-bound");
});

void test("an argument that no rule reads is not looked at", async () => {
  const policy = await compile(GUARDED, schemaText("path?: String, content?: String"));
  assert.equal(policy.decide(call({ path: "/home/a", content: "x".repeat(100_000) })).decision, "allow");
});

void test("a forbid that fails while it is evaluated denies", async () => {
  const cedar = `${PERMIT_ALL} forbid (principal, action, resource) when { context.arguments.path like "/etc/*" };`;
  const policy = await compile(cedar, schemaText("path?: String"));
  assert.match(
    policy.warnings.join(),
    /rules\.cedar#2.*optional attribute `arguments.path`.*calls without it are denied/,
  );
  assert.equal(policy.decide(call({ path: "/home/a" })).decision, "allow");
  assert.deepEqual([policy.decide(call({})).decision, policy.decide(call({})).rule], ["deny", "evaluation-error"]);
});

void test("arithmetic that overflows denies", async () => {
  const cedar = `${PERMIT_ALL} forbid (principal, action, resource) when { context.arguments.n * context.arguments.n > 100 };`;
  const policy = await compile(cedar, schemaText("n: Long"));
  assert.equal(policy.decide(call({ n: 3 })).decision, "allow");
  assert.equal(policy.decide(call({ n: Number.MAX_SAFE_INTEGER })).rule, "evaluation-error");
});

void test("without a permit every call is denied", async () => {
  const policy = await compile("forbid (principal, action, resource) when { false };");
  assert.deepEqual([policy.decide(call()).decision, policy.decide(call()).cause], ["deny", "no-policy"]);
  assert.match(policy.warnings.join(), /no rule permits anything/);
});

void test("each compiled policy decides by its own rules, in any order", async () => {
  const allows = await compile(PERMIT_ALL);
  const denies = await compile(`${PERMIT_ALL} @id("none") forbid (principal, action, resource);`);
  for (let round = 0; round < 3; round += 1) {
    assert.equal(allows.decide(call()).decision, "allow");
    assert.equal(denies.decide(call()).rule, "none");
  }
});

void test("a forbid that reads anything else is no matter of sensitivity, and a denial does not say so", async () => {
  const cedar = `${PERMIT_ALL} forbid (principal, action, resource) when { context.workflow_id == "w" };`;
  const policy = await compile(cedar, schemaText("", "session_max_sensitivity: String, workflow_id: String"));
  assert.equal(policy.decide(call({}, { workflowId: "w", sessionMaxSensitivity: "hipaa_phi" })).cause, "policy");
});

void test("session sensitivity closes a tool, and the cause says so", async () => {
  const cedar = `${PERMIT_ALL} @id("no-mail") forbid (principal, action, resource == cMCP::Resource::"send_mail") when { context.session_max_sensitivity == "hipaa_phi" };`;
  const policy = await compile(cedar);
  const mail = (sessionMaxSensitivity: string) => policy.decide(call({}, { tool: SEND_MAIL, sessionMaxSensitivity }));
  assert.equal(mail("public").decision, "allow");
  assert.deepEqual([mail("hipaa_phi").rule, mail("hipaa_phi").cause], ["no-mail", "sensitivity"]);
  assert.equal(policy.decide(call({}, { sessionMaxSensitivity: "hipaa_phi" })).decision, "allow");
});

void test("annotations become advice, redaction and labels", async () => {
  const cedar = `
    @redact_fields("ssn, patient.address") permit (principal, action, resource == cMCP::Resource::"read_file");
    @id("mail") permit (principal, action, resource == cMCP::Resource::"send_mail");
    @id("ask") @aarm_decision("step_up") @reason("a person decides") forbid (principal, action, resource == cMCP::Resource::"send_mail") when { context.session_max_sensitivity == "pii" };
    @id("wait") @aarm_decision("defer") forbid (principal, action, resource == cMCP::Resource::"send_mail") when { context.session_max_sensitivity == "mnpi" };`;
  const policy = await compile(cedar);
  const mail = (sessionMaxSensitivity: string) => policy.decide(call({}, { tool: SEND_MAIL, sessionMaxSensitivity }));
  assert.deepEqual(policy.decide(call()), {
    decision: "redact",
    rule: "rules.cedar#1",
    cause: "policy",
    reason: null,
    redactFields: ["patient.address", "ssn"],
    keepFields: [],
  });
  assert.deepEqual(
    [mail("pii").decision, mail("pii").rule, mail("pii").reason],
    ["step_up", "ask", "a person decides"],
  );
  assert.equal(mail("mnpi").decision, "defer");
  assert.equal(mail("public").rule, "mail");
});

void test("without its forbids a request is what its permits make of it", async () => {
  const cedar = `
    @redact_fields("ssn") permit (principal, action, resource == cMCP::Resource::"read_file");
    @id("ask") @aarm_decision("require_approval") @approvals("2") forbid (principal, action, resource);`;
  const policy = await compile(cedar);
  const asked = policy.decide(call());
  assert.deepEqual([asked.decision, asked.rule, asked.approval?.needed], ["step_up", "ask", 2]);
  const lifted = policy.decidePermits(call());
  assert.deepEqual([lifted.decision, lifted.redactFields], ["redact", ["ssn"]]);
  const mail = call({}, { tool: SEND_MAIL });
  assert.equal(policy.decide(mail).decision, "step_up");
  assert.deepEqual([policy.decidePermits(mail).decision, policy.decidePermits(mail).rule], ["deny", "default-deny"]);
});

void test("facts reach the rules with their values", async () => {
  const facts = {
    session_id: '"s-1"',
    session_sensitivity: '"pii"',
    sensitivity_level_int: "1",
    workflow_id: '"w"',
    enforcement_mode: '"enforcing"',
    catalog_hash: '"c"',
    attestation_platform: '"tpm2"',
    channel: '"sealed"',
    isolation: '"netns"',
    session_isolation: '"gateway"',
    server_identity: '"https://tools.example/mcp"',
    compliance_domain: '"pii"',
    baa_covered: "false",
    requires_baa: "true",
  };
  const conditions = Object.entries(facts)
    .map(([name, value]) => `context.${name} == ${value}`)
    .join(" && ");
  const entity =
    'principal.session_id == "s-1" && principal has user_identity && principal.user_identity == "u" && ' +
    'principal.identity_source == "jwt" && principal has identity_issuer && principal.identity_issuer == ' +
    '"https://login.example/" && principal.identity_claims.containsAll(["groups=a", "level=3"]) && principal has ' +
    'host_asserted_identity && principal.host_asserted_identity == "spiffe://bank.example/x" && ' +
    'resource.tool_name == "read_file" && resource.compliance_domain == "pii" && ' +
    'context.workflow_allowed_tools.contains("read_file")';
  const policy = await compile(
    `permit (principal == cMCP::Principal::"agent-1", action == cMCP::Action::"call_tool", resource) when { ${conditions} && ${entity} };`,
    "",
  );
  const about = call(
    {},
    {
      principal: {
        id: "agent-1",
        userIdentity: "u",
        identitySource: "jwt",
        identityIssuer: "https://login.example/",
        identityClaims: ["groups=a", "groups=b", "level=3"],
        hostAssertedIdentity: "spiffe://bank.example/x",
      },
      sessionId: "s-1",
      sessionSensitivity: "pii",
      sensitivityLevelInt: 1,
      workflowId: "w",
      catalogHash: "c",
      attestationPlatform: "tpm2",
      channel: "sealed",
      tool: tool("read_file", {}, { complianceDomain: "pii", baaCovered: false, requiresBaa: true }),
    },
  );
  assert.equal(policy.decide(about).decision, "allow");
  assert.equal(policy.decide({ ...about, channel: "plain" }).decision, "deny");
  for (const other of [
    { userIdentity: "v" },
    { identitySource: "bearer" },
    { identityIssuer: "https://other.example/" },
    { identityClaims: ["groups=a"] },
    { hostAssertedIdentity: "spiffe://bank.example/y" },
  ]) {
    assert.equal(
      policy.decide({ ...about, principal: { ...about.principal, ...other } }).decision,
      "deny",
      JSON.stringify(other),
    );
  }
  assert.equal(policy.decide({ ...about, principal: { id: "agent-1" } }).decision, "deny");
});

void test("who is known by a bearer token has no claims, and a rule that reads the source denies where nobody said", async () => {
  const claims = await compile(
    `${PERMIT_ALL} @id("staff") forbid (principal, action, resource) unless { principal.identity_claims.contains("staff=true") };`,
    "",
  );
  assert.equal(
    claims.decide(call({}, { principal: { id: "agent-1", identitySource: "jwt", identityClaims: ["staff=true"] } }))
      .decision,
    "allow",
  );
  for (const identityClaims of [[], ["staff=false"], ["role=staff=true"]])
    assert.equal(
      claims.decide(call({}, { principal: { id: "agent-1", identitySource: "jwt", identityClaims } })).rule,
      "staff",
    );
  assert.equal(claims.decide(call({}, { principal: { id: "agent-1", identitySource: "bearer" } })).rule, "staff");
  const source = await compile(
    `${PERMIT_ALL} @id("jwt") forbid (principal, action, resource) when { principal.identity_source == "bearer" };`,
    "",
  );
  assert.equal(source.decide(call({}, { principal: { id: "agent-1", identitySource: "jwt" } })).decision, "allow");
  assert.equal(source.decide(call({}, { principal: { id: "agent-1" } })).cause, "request-invalid");
});

void test("a tool the catalog gained after compiling is denied under per-tool actions", async () => {
  const policy = await compile(
    'permit (principal, action, resource); forbid (principal, action == Action::"SendMail", resource);',
    "",
  );
  assert.equal(policy.shape, "per-tool-action");
  assert.equal(policy.decide(call({ path: "x" })).decision, "allow");
  assert.equal(policy.decide(call({}, { tool: tool("other") })).cause, "request-invalid");
  assert.equal(policy.decide(call({}, { tool: READ_FILE })).decision, "allow");
});
