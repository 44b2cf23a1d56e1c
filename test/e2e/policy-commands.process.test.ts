/** The commands for those who write policies, as shipped. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readBundle, verifyBundleSignature } from "@cmcp/policy/bundle";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { ROOT } from "../gateway/deployment.ts";

describe("policy commands", () => {
  let folder: string;
  const at = (...parts: string[]): string => join(folder, ...parts);
  const json = ({ stdout }: CommandResult): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-policy-"));
    await cp(join(ROOT, "examples/quickstart"), folder, { recursive: true });
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test("sign writes a signature of the key that key new made, and changes no hash", async () => {
    const { public_key: publicKey } = json(await cmcp(["key", "new", at("policy.pem"), "--json"]));
    const hash = (await cmcp(["policy", "hash", at("policies")])).stdout.trim();
    const signed = json(await cmcp(["policy", "sign", at("policies"), "--key", at("policy.pem"), "--json"]));
    assert.deepEqual([signed["ok"], signed["hash"], signed["public_key"]], [true, hash, publicKey]);
    const read = async (name: string): Promise<string> => await readFile(at("policies", name), "utf8");
    const manifest = JSON.parse(await read("manifest.json")) as { signature: string };
    assert.equal(manifest.signature, signed["signature"]);
    assert.equal((await cmcp(["policy", "hash", at("policies")])).stdout.trim(), hash);
    verifyBundleSignature({ hash, manifest }, String(publicKey));
    const start = await cmcp(["validate-config", "--config", at("cmcp-config.yaml"), "--json"], {
      CMCP_DEV_MODE: "1",
      CMCP_POLICY_SIGNING_KEY: String(publicKey),
    });
    assert.equal(start.code, 0, start.stdout);
    assert.ok(
      readBundle({ "manifest.json": await read("manifest.json"), "schema.cedarschema": "", "a.cedar": "" }).version,
    );
  });

  test("sign refuses what is no key, no bundle, or a version without an order", async () => {
    assert.equal((await cmcp(["policy", "sign", at("policies"), "--key", at("catalog.json")])).code, 64);
    assert.equal((await cmcp(["policy", "sign", at("nowhere"), "--key", at("policy.pem")])).code, 10);
    assert.equal((await cmcp(["policy", "sign", at("policies")])).code, 64);
    await cp(at("policies"), at("unordered"), { recursive: true });
    const manifest = await readFile(at("unordered/manifest.json"), "utf8");
    await writeFile(at("unordered/manifest.json"), manifest.replace(/"version": "[^"]*"/, '"version": "next"'));
    assert.equal((await cmcp(["policy", "sign", at("unordered"), "--key", at("policy.pem")])).code, 10);
  });

  test("sign signs nothing that a gateway would not load", async () => {
    await cp(at("policies"), at("broken"), { recursive: true });
    await writeFile(at("broken/broken.cedar"), "permit (principal, action");
    const manifest = await readFile(at("broken/manifest.json"), "utf8");
    const refused = await cmcp(["policy", "sign", at("broken"), "--key", at("policy.pem"), "--json"]);
    assert.equal(refused.code, 10);
    assert.match(refused.stdout, /POLICY_BUNDLE_INVALID/);
    assert.equal(await readFile(at("broken/manifest.json"), "utf8"), manifest);
  });

  test("schema replaces its file whole, and no folder", async () => {
    const refused = await cmcp([
      "policy",
      "schema",
      at("policies"),
      "--catalog",
      at("catalog.json"),
      "--out",
      at("policies"),
    ]);
    assert.deepEqual([refused.code, /: it is not a regular file\n/.test(refused.stderr)], [64, true], refused.stderr);
  });

  test("schema writes one that the bundle compiles under", async () => {
    const target = at("policies/schema.cedarschema");
    const written = await cmcp(["policy", "schema", at("policies"), "--catalog", at("catalog.json"), "--out", target]);
    assert.equal(written.code, 0, written.stderr);
    const printed = await cmcp(["policy", "schema", at("policies"), "--catalog", at("catalog.json")]);
    assert.equal(printed.stdout, await readFile(target, "utf8"));
    assert.match(printed.stdout, /session_max_sensitivity/);
    assert.deepEqual(json(await cmcp(["policy", "lint", at("policies"), "--catalog", at("catalog.json"), "--json"])), {
      ok: true,
      findings: [],
    });
  });

  test("lint ends with 10 where a rule does nothing, and names it", async () => {
    await cp(at("policies"), at("useless"), { recursive: true });
    await writeFile(at("useless/more.cedar"), 'permit (principal, action, resource == cMCP::Resource::"gone");\n');
    const found = await cmcp(["policy", "lint", at("useless"), "--catalog", at("catalog.json"), "--json"]);
    assert.equal(found.code, 10);
    assert.match(String(json(found)["findings"]), /more\.cedar#1 never matches/);
    assert.equal((await cmcp(["policy", "lint", at("useless")])).code, 0, "without a catalog it cannot know");
  });

  test("lint names rules that can only withhold, and tools whose schema refuses or lets through every argument", async () => {
    await cp(at("policies"), at("blind"), { recursive: true });
    const scope = 'permit (principal, action == cMCP::Action::"call_tool", resource';
    await writeFile(
      at("blind/more.cedar"),
      `@id("salary") @redact_fields("salary") ${scope} == cMCP::Resource::"get_patient_record");\n@id("no-schema") @redact_fields("ssn") ${scope} == cMCP::Resource::"echo");\n`,
    );
    const catalog = JSON.parse(await readFile(at("catalog.json"), "utf8")) as { [name: string]: unknown }[];
    const open = catalog.map((entry) => (entry["tool_name"] === "echo" ? { ...entry, additional: "allow" } : entry));
    await writeFile(at("open.json"), JSON.stringify(open));
    const found = await cmcp(["policy", "lint", at("blind"), "--catalog", at("open.json"), "--json"]);
    const findings = String(json(found)["findings"]);
    assert.equal(found.code, 10);
    assert.match(findings, /more\.cedar#1 redacts salary, and results of get_patient_record can only be withheld/);
    assert.match(findings, /more\.cedar#2 redacts ssn, and results of echo can only be withheld/);
    assert.match(findings, /tool echo: additional is `allow`/);
    assert.doesNotMatch(findings, /records\.cedar#1 redacts/);
  });

  test("test says how a saved call is decided, by which rule and why", async () => {
    const run = async (call: object, ...more: string[]): Promise<CommandResult> => {
      await writeFile(at("call.json"), JSON.stringify(call));
      return await cmcp([
        "policy",
        "test",
        at("policies"),
        "--catalog",
        at("catalog.json"),
        "--call",
        at("call.json"),
        ...more,
      ]);
    };
    const decided = async (call: object): Promise<unknown[]> => {
      const { decision, rule, cause } = json(await run(call, "--json"));
      return [decision, rule, cause];
    };
    const send = { tool: "send_message", arguments: { to: "a", text: "b" } };
    assert.deepEqual(await decided(send), ["allow", "allow-messages", "policy"]);
    assert.deepEqual(await decided({ ...send, session_max_sensitivity: "hipaa_phi" }), [
      "deny",
      "no-messages-after-health-data",
      "sensitivity",
    ]);
    assert.deepEqual(await decided({ ...send, session_sensitivity: "hipaa_phi" }), [
      "deny",
      "no-messages-after-health-data",
      "sensitivity",
    ]);
    assert.equal(
      (await run({ ...send, session_sensitivity: "hipaa_phi", session_max_sensitivity: "public" })).code,
      64,
      "no session stands above its maximum",
    );
    assert.deepEqual(await decided({ tool: "send_message", arguments: { to: 5 } }), [
      "deny",
      "input-schema",
      "not-policy",
    ]);
    assert.deepEqual(await decided({ tool: "gone" }), ["deny", "not-in-catalog", "not-policy"]);
    assert.deepEqual(await decided({ ...send, session_max_sensitivity: "board", vocabulary: { board: 5 } }), [
      "allow",
      "allow-messages",
      "policy",
    ]);
    const redacted = json(await run({ tool: "get_patient_record", arguments: { patient_id: "P-1" } }, "--json"));
    assert.deepEqual([redacted["decision"], redacted["redact_fields"]], ["redact", ["ssn"]]);
    assert.match(
      (await run({ tool: "get-env" })).stdout,
      /^deny\n {2}rules: {2}deny-environment\n.*\n {2}reason: .*environment/,
    );
    assert.equal((await run(send, "--expect", "allow")).code, 0);
    const other = await run(send, "--expect", "deny");
    assert.deepEqual([other.code, other.stdout.startsWith("allow (expected deny)")], [10, true]);
  });

  test("test tries rules that read who the caller is, and what its workflow may call", async () => {
    await cp(at("policies"), at("who"), { recursive: true });
    await writeFile(
      at("who/who.cedar"),
      `
      @id("bearer-only") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message") when { principal.identity_source == "tokenless" };
      @id("not-anna") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message") when { principal has user_identity && principal.user_identity == "anna" };
      @id("no-guests") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message") when { principal has identity_issuer && principal.identity_issuer like "https://guests.*" };
      @id("not-care") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message") when { principal.identity_claims.contains("unit=care") };
      @id("not-the-yard") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message") when { principal has host_asserted_identity && principal.host_asserted_identity like "spiffe://*/yard" };
      @id("not-in-workflow") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message") unless { context.workflow_allowed_tools.contains("send_message") };`,
    );
    const written = await cmcp([
      "policy",
      "schema",
      at("who"),
      "--catalog",
      at("catalog.json"),
      "--out",
      at("who/schema.cedarschema"),
    ]);
    assert.equal(written.code, 0, written.stderr);
    const run = async (who: object): Promise<CommandResult> => {
      await writeFile(
        at("who.json"),
        JSON.stringify({ tool: "send_message", arguments: { to: "a", text: "b" }, ...who }),
      );
      return await cmcp([
        "policy",
        "test",
        at("who"),
        "--catalog",
        at("catalog.json"),
        "--call",
        at("who.json"),
        "--json",
      ]);
    };
    const rule = async (who: object): Promise<unknown> => json(await run(who))["rule"];
    const jwt = { identity_source: "jwt", identity_issuer: "https://login.example/", user_identity: "bert" };
    for (const who of [
      {},
      { identity_source: "bearer" },
      jwt,
      { ...jwt, identity_claims: ["unit=fx"] },
      { host_asserted_identity: "spiffe://bank.example/desk" },
    ])
      assert.equal(await rule(who), "allow-messages", JSON.stringify(who));
    assert.equal(await rule({ identity_source: "tokenless" }), "bearer-only");
    assert.equal(await rule({ ...jwt, user_identity: "anna" }), "not-anna");
    assert.equal(await rule({ ...jwt, identity_issuer: "https://guests.example/" }), "no-guests");
    assert.equal(await rule({ ...jwt, identity_claims: ["unit=fx", "unit=care"] }), "not-care");
    assert.equal(await rule({ host_asserted_identity: "spiffe://bank.example/yard" }), "not-the-yard");
    assert.equal(await rule({ workflow_allowed_tools: ["echo"] }), "not-in-workflow");
    assert.equal(await rule({ workflow_allowed_tools: ["send_message"] }), "allow-messages");
    for (const who of [
      { workflow_allowed_tools: "send_message" },
      { identity_source: "password" },
      { user_identity: "anna" },
      { identity_claims: ["unit=care"] },
      { identity_source: "jwt" },
      { ...jwt, identity_claims: ["care"] },
    ])
      assert.equal((await run(who)).code, 64, JSON.stringify(who));
  });

  test("test refuses a call that is not of the documented form", async () => {
    for (const text of [
      "{",
      "[]",
      "{}",
      '{"tool":"echo","tols":1}',
      '{"tool":"echo","session_max_sensitivity":"no-such-label"}',
      '{"tool":"echo","vocabulary":{"pii":9}}',
      '{"tool":"a","tool":"b"}',
    ]) {
      await writeFile(at("bad.json"), text);
      const run = await cmcp([
        "policy",
        "test",
        at("policies"),
        "--catalog",
        at("catalog.json"),
        "--call",
        at("bad.json"),
      ]);
      assert.ok(run.code === 64 || run.code === 10, `${text}: ${run.code} ${run.stdout}`);
      assert.match(run.stderr, /what to do:/);
    }
    assert.equal(
      (
        await cmcp([
          "policy",
          "test",
          at("policies"),
          "--catalog",
          at("catalog.json"),
          "--call",
          at("call.json"),
          "--expect",
          "maybe",
        ])
      ).code,
      64,
    );
  });

  test("every one of them explains itself with an example and its exit codes", async () => {
    for (const command of ["sign", "schema", "lint", "test"]) {
      const { code, stdout } = await cmcp(["policy", command, "--help"]);
      assert.equal(code, 0);
      assert.match(stdout, /^Usage: cmcp policy /);
      assert.match(stdout, /Exit codes:[^]*Example: {4}cmcp policy /);
    }
  });

  test("test says how many approvals lift a refusal, of whom, and what they are told", async () => {
    const recipe = join(ROOT, "examples/cookbook/mail-with-a-person");
    const decided = async (call: string, ...more: readonly string[]): Promise<CommandResult> => {
      const saved = ["--catalog", join(recipe, "catalog.json"), "--call", join(recipe, `calls/${call}.json`)];
      return await cmcp(["policy", "test", join(recipe, "policies"), ...saved, ...more]);
    };
    const approval = { needed: 1, approvers: ["alice", "bob"], reason: "mail leaves the company" };
    assert.deepEqual(json(await decided("step_up-outside", "--json"))["approval"], approval);
    assert.equal(json(await decided("deny-press", "--json"))["approval"], null);
    const { code, stdout } = await decided("step_up-large-refund", "--expect", "step_up");
    assert.equal(code, 0);
    assert.match(stdout, /^step_up\n {2}rules: {2}large-refunds-need-two\n/);
    assert.match(
      stdout,
      /\n {2}approvals: 2 of those in enclave\.approvers\n {2}approvers are told: a refund over 100\n/,
    );
    await cp(join(recipe, "policies"), at("permit"), { recursive: true });
    await writeFile(
      at("permit/rules.cedar"),
      '@aarm_decision("step_up") permit (principal, action == cMCP::Action::"call_tool", resource);',
    );
    const call = ["--catalog", join(recipe, "catalog.json"), "--call", join(recipe, "calls/allow-inside.json")];
    const permit = await cmcp(["policy", "test", at("permit"), ...call]);
    assert.match(permit.stdout, /^step_up\n[^]*\n {2}approvals: none lifts this, as the rule is a permit\n/);
  });

  test("test decides with the data flows that the saved call gives", async () => {
    await cp(at("policies"), at("flows"), { recursive: true });
    await writeFile(
      at("flows/flows.cedar"),
      `@id("no-patients-out") forbid (principal, action == cMCP::Action::"call_tool", resource)
        when { context.flow_labels.contains("hipaa_phi") || context.flow_coverage > 90 || !context.flows_complete };`,
    );
    const where = ["policy", "schema", at("flows"), "--catalog", at("catalog.json")];
    assert.equal((await cmcp([...where, "--out", at("flows/schema.cedarschema")])).code, 0);
    const rule = async (flows: object): Promise<unknown> => {
      const call = { tool: "send_message", arguments: { to: "a", text: "b" }, ...flows };
      await writeFile(at("flows.json"), JSON.stringify(call));
      const saved = ["--catalog", at("catalog.json"), "--call", at("flows.json"), "--json"];
      return json(await cmcp(["policy", "test", at("flows"), ...saved]))["rule"];
    };
    const flow = { source_server: "clinic", source_tool: "read", kind: "exact", path: "/arguments/text", coverage: 40 };
    assert.equal(await rule({}), "allow-messages");
    assert.equal(await rule({ flows: [flow] }), "allow-messages");
    assert.equal(await rule({ flows: [{ ...flow, labels: ["hipaa_phi"] }] }), "no-patients-out");
    assert.equal(await rule({ flows: [{ ...flow, coverage: 91 }] }), "no-patients-out");
    assert.equal(await rule({ flows_complete: false }), "no-patients-out");
    assert.equal(await rule({ flows: [{ ...flow, coverage: 0 }] }), undefined);
  });
});
