import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readBundle, type PolicyBundle } from "./bundle/index.ts";
import { compilePolicy } from "./compile/compile.ts";
import { WORKER, call, catalogOf, tool } from "./test-support.ts";

const published = process.env.CMCP_PUBLIC_EXAMPLES;
const skip = published === undefined ? "CMCP_PUBLIC_EXAMPLES does not name the examples folder of the existing implementation" : false;
const QUICKSTART = join(import.meta.dirname, "../../../examples/quickstart/policies");

async function bundleIn(folder: string): Promise<PolicyBundle> {
  const files: Record<string, string> = {};
  for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name), "utf8");
  return readBundle(files);
}

const CRM = tool("crm.query");
const SEND = tool("communication.send");
const HASHES = {
  // Computed with the existing implementation's package over its own example bundles.
  minimal: "sha256:0f30eae7f46868c8250b1b78be3bfd0cd25b247c0c110271ebd599e7aa5a0e74",
  bfsi: "sha256:6a8a10f8ba4b366038fbf996203114bb990833402ec3317071bc510ffabe9457",
};

void test("the published minimal bundle loads unchanged and hashes the same", { skip }, async () => {
  const bundle = await bundleIn(join(published ?? "", "minimal/policies"));
  assert.equal(bundle.hash, HASHES.minimal);
  const policy = await compilePolicy(bundle, catalogOf(CRM), { workerUrl: WORKER });
  assert.deepEqual([policy.shape, policy.warnings, policy.decide(call({}, { tool: CRM })).decision], ["call_tool", [], "allow"]);
});

void test("the published bfsi-demo bundle loads unchanged, hashes the same and decides as written", { skip }, async () => {
  const bundle = await bundleIn(join(published ?? "", "bfsi-demo/policies"));
  assert.equal(bundle.hash, HASHES.bfsi);
  const policy = await compilePolicy(bundle, catalogOf(CRM, SEND), { workerUrl: WORKER });
  assert.equal(policy.shape, "per-tool-action");
  assert.match(policy.warnings.join("\n"), /such as block-mnpi-to-communication\.cedar#1.*The built-in schema is used instead/);
  const decide = (by: typeof CRM, sessionMaxSensitivity: string) => policy.decide(call({}, { tool: by, sessionMaxSensitivity })).decision;
  assert.deepEqual([decide(CRM, "mnpi"), decide(SEND, "public"), decide(SEND, "mnpi")], ["allow", "allow", "deny"]);
  assert.deepEqual([decide(CRM, "hipaa_phi"), decide({ ...CRM, baaCovered: false }, "hipaa_phi")], ["allow", "deny"]);
});

void test("the quickstart bundle decides as its rules say, without warnings", async () => {
  const tools = ["echo", "get-sum", "get-env", "get_patient_record", "send_message", "other"].map((name) => tool(name));
  const policy = await compilePolicy(await bundleIn(QUICKSTART), catalogOf(...tools), { workerUrl: WORKER });
  assert.deepEqual([policy.shape, policy.warnings], ["call_tool", []]);
  const decide = (name: string, sessionMaxSensitivity = "public") => policy.decide(call({}, { tool: tool(name), sessionMaxSensitivity }));
  assert.deepEqual(["echo", "get-sum", "get-env", "other", "send_message"].map((name) => decide(name).decision), ["allow", "allow", "deny", "deny", "allow"]);
  assert.deepEqual(decide("get_patient_record").redactFields, ["ssn"]);
  assert.deepEqual([decide("get-env").rule, decide("other").rule], ["deny-environment", "default-deny"]);
  assert.deepEqual([decide("send_message", "hipaa_phi").rule, decide("send_message", "hipaa_phi").cause], ["no-messages-after-health-data", "sensitivity"]);
  assert.match(decide("get-env").reason ?? "", /environment/);
});
