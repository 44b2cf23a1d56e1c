/** Reports of a TPM that get old in open sessions. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { auditBundleSchema, type AuditBundle } from "@cmcp/audit/schema";
import { Deployments, freshTpm, startAttested } from "./attested-gateway.ts";

describe("a gateway whose report gets old", () => {
  let deployments: Deployments;
  before(async () => {
    deployments = await Deployments.open();
  });
  after(() => deployments.close());

  /** Waits until something holds; the deadline only ends a test that would never pass. */
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; tries < 300; tries += 1) {
      if (await holds()) return;
      await delay(100);
    }
    assert.fail("it never came to that");
  };

  for (const policy of ["fail_closed", "warn_only"] as const) {
    test(`reports are refreshed in open sessions; without them the gateway ${policy === "fail_closed" ? "stops serving" : "serves and says so"}`, async (t) => {
      const swtpm = await freshTpm(t);
      if (swtpm === undefined) return;
      const { json, call } = await startAttested(
        t,
        await deployments.write(`validity_seconds: 2, staleness_policy: ${policy}`),
        swtpm,
      );
      await call("first");
      const session = async (): Promise<AuditBundle> =>
        auditBundleSchema.parse(await json("/audit/export?session_id=s"));
      const types = async (): Promise<string[]> => (await session()).entries.map(({ entry_type: type }) => type);
      await until(async () => (await types()).includes("attestation_refresh"));
      assert.equal((await call("the session goes on")).status, 200);
      await swtpm.stop();
      await until(async () => (await types()).includes("attestation_stale"));
      const reply = await call("after");
      if (policy === "fail_closed") {
        assert.equal(reply.status, 412);
        assert.match(await reply.text(), /ATTESTATION_STALE/);
      } else assert.equal(reply.status, 200);
      assert.equal((await types()).filter((type) => type === "attestation_stale").length, 1, "said once");
      assert.equal(((await json("/v1/status"))["attestation"] as { stale: boolean }).stale, true);
    });
  }
});
