/** A host that feeds two enclaves from one store: the one whose place in the log was taken ends, and nothing of it counts. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { deployQuickstart } from "../gateway/deployment.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { startObservedHost } from "./observed-host.ts";
import { readStored, recordsIn } from "./stored-records.ts";

const ENVIRONMENT = { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: "two-instances-test-token-0123456789" };
const message = {
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "send_message", arguments: { to: "x", text: "x" } },
};

test("of two enclaves on one store, the first ends at its next record, before its call reaches the server", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-two-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const records = await startRecordsServer();
  t.after(() => records.close());
  const config = await deployQuickstart(join(folder, "deployment"), {
    everythingPort: 1,
    recordsPort: records.port,
    recordsFingerprint: records.fingerprint,
  });
  const first = await startObservedHost(config, ENVIRONMENT);
  t.after(() => first.close());
  const fenced = await first.startEnclave();
  assert.equal((await first.request("POST", "/mcp", message)).status, 200);

  const second = await startObservedHost(config, ENVIRONMENT, { record: first.store });
  t.after(() => second.close());
  await second.startEnclave();
  assert.equal(records.calls.length, 1);
  await assert.rejects(first.request("POST", "/mcp", message), (thrown: { code?: string }) =>
    /^(?:WIRE_|REQUEST_CANCELLED)/.test(thrown.code ?? ""),
  );
  assert.equal((await fenced.exited).exitCode, 1);
  assert.equal(records.calls.length, 1, "nothing of the first reached the server again");

  assert.equal((await second.request("POST", "/mcp", message)).status, 200);
  assert.equal(records.calls.length, 2);
  const writers = (await recordsIn(first.store)).map((stored) => readStored(stored).instance);
  const changes = writers.filter((writer, index) => writer !== writers[index - 1]);
  assert.equal(changes.length, 2, "one instance after the other, and never the first again");
});
