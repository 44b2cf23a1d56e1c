/** A machine that says what it was launched with, and whose processor signs no report, serves nobody. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readLaunchInputs } from "@cmcp/launch/files";
import { startRecordsServer } from "../servers/records-server.ts";
import { composeHost, type ComposedHost } from "./policy-tee/composed-host.ts";
import { deployRecords } from "./policy-tee/deployment.ts";
import { processTarget } from "./policy-tee/process-target.ts";
import type { PlayedProcessor } from "./policy-tee/target.ts";

/**
 * A host whose enclave runs on a played processor that was launched with the deployment's document; `null` where this
 * machine lacks what it needs.
 */
async function hostOn(t: TestContext, processor: Pick<PlayedProcessor, "signsNothing">): Promise<ComposedHost | null> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-first-report-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const records = await startRecordsServer();
  t.after(() => records.close());
  const config = await deployRecords(join(folder, "deployment"), records, "tdx");
  const { document } = await readLaunchInputs(config, {});
  const place = await processTarget.open(t, {
    platform: "tdx",
    carried: createHash("sha384").update(document).digest("hex"),
    ...processor,
  });
  return place === null ? null : await composeHost(t, place, config);
}

test("a launch on a processor that signs no report is refused, and nothing is served", async (t) => {
  const host = await hostOn(t, { signsNothing: true });
  if (host === null) return;
  await assert.rejects(host.launch(host.document), { code: "ATTESTATION_REPORT_UNAVAILABLE" });
  await assert.rejects(host.serve(), { code: "PHASE_VIOLATION" });
});

test("the same launch on one that signs is served", async (t) => {
  const host = await hostOn(t, {});
  if (host === null) return;
  await host.launch(host.document);
  const gateway = await host.serve();
  assert.match(await gateway.request("/v1/status"), /"platform":"intel-tdx"/);
});
