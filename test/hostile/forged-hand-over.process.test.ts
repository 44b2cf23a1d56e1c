/** Where the platform has evidence, a host cannot hand the log over to a key of its own: it has no evidence for that key. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SqliteStore } from "@cmcp/host-proxy";
import { serveComposed } from "../conformance/policy-tee/composed-host.ts";
import { deployRecords } from "../conformance/policy-tee/deployment.ts";
import { processTarget } from "../conformance/policy-tee/process-target.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { handOverToHost } from "./host/own-hand-over.ts";

test("a hand-over without the platform's evidence is not believed, whatever launch it names", async (t) => {
  const place = await processTarget.open(t);
  if (place === null) return;
  const folder = await mkdtemp(join(tmpdir(), "cmcp-forged-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const records = await startRecordsServer();
  t.after(() => records.close());
  const config = await deployRecords(join(folder, "deployment"), records, "tpm");
  const record = new SqliteStore(null, { durable: false });
  t.after(() => record.close());
  /** What an instance on the same machine says of the log before it. */
  const history = async (): Promise<unknown> => {
    const host = await serveComposed(t, place, config, { record });
    const status = await host.request("/v1/status");
    await host.close();
    return (JSON.parse(status) as { history: unknown }).history;
  };
  assert.deepEqual(await history(), { state: "complete" });
  assert.deepEqual(await history(), { state: "complete" }, "a genuine instance is believed by the next one");
  await handOverToHost(record);
  assert.deepEqual(await history(), { state: "incomplete", reason: "unbelieved" });
});
