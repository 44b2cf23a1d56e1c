/** What happens when the engine of this very process is killed; alone in its file, because nothing decides afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { policyToJson } from "@cedar-policy/cedar-wasm/nodejs";
import { CmcpError } from "@cmcp/boundary";
import { PERMIT_ALL, call, compile } from "../test-support.ts";

void test("a dead engine denies everything and says that the gateway must restart", async () => {
  const policy = await compile(PERMIT_ALL);
  assert.equal(policy.decide(call()).decision, "allow");
  assert.throws(() =>
    policyToJson(`permit (principal, action, resource) when { ${"(".repeat(500)}true${")".repeat(500)} };`),
  );
  // What is asked first has not been asked before: only then is the engine used, and found dead.
  for (const facts of [call({}, { sessionMaxSensitivity: "confidential" }), call(), call()]) {
    const verdict = policy.decide(facts);
    assert.deepEqual([verdict.decision, verdict.rule, verdict.cause], ["deny", "engine-failure", "fault"]);
  }
  await assert.rejects(
    compile(PERMIT_ALL),
    (thrown) =>
      thrown instanceof CmcpError && thrown.code === "TEE_FAULT" && /restart the gateway/.test(thrown.message),
  );
});
