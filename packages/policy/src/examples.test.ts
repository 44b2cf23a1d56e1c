import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readBundle, type PolicyBundle } from "./bundle/index.ts";
import { compilePolicy } from "./compile/compile.ts";
import { WORKER, call, catalogOf, tool } from "./test-support.ts";

const QUICKSTART = join(import.meta.dirname, "../../../examples/quickstart/policies");

async function bundleIn(folder: string): Promise<PolicyBundle> {
  const files: Record<string, string> = {};
  for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name), "utf8");
  return readBundle(files);
}

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
