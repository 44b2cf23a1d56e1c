/** A host that takes a record out of the past: the next enclave says so, and treats every principal as one that has seen the worst. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AuditEntry, HandOver } from "@cmcp/audit";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { deployQuickstart } from "../gateway/deployment.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { startObservedHost, type ObservedHost } from "./observed-host.ts";
import { hideRecords, readStored, recordsIn } from "./stored-records.ts";

const TOKEN = "history-test-token-history-test-token-1";
const message = {
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "send_message", arguments: { to: "x", text: "x" } },
};

describe("a past that the host changed", () => {
  let folder: string;
  let records: RecordsServer;
  let host: ObservedHost;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-history-"));
    records = await startRecordsServer();
    const config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    host = await startObservedHost(config, { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN });
  });
  after(async () => {
    await host.close();
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  const status = async (): Promise<{ history: unknown }> =>
    JSON.parse((await host.request("GET", "/v1/status")).body) as { history: unknown };
  const latestHandOver = async (): Promise<HandOver | undefined> =>
    (await recordsIn(host.store, { kind: "hand-over" }))
      .map(readStored)
      .flatMap((record) => (record.kind === "hand-over" ? [record.body] : []))
      .at(-1);
  const call = async (): Promise<AuditEntry[]> => {
    const answered = JSON.parse((await host.request("POST", "/mcp", message)).body) as RpcReply;
    const id = receiptOf(answered).session_id;
    const bundle = JSON.parse((await host.request("GET", `/audit/export?session_id=${id}`)).body) as {
      entries: AuditEntry[];
    };
    return bundle.entries;
  };

  test("is said in the status, the hand-over and every root entry, and raises every principal", async () => {
    const first = await host.startEnclave();
    const [root] = await call();
    assert.deepEqual(
      [(await status()).history, (await latestHandOver())?.history, root?.detail?.["history"]],
      [{ state: "complete" }, { state: "complete" }, "complete"],
    );
    await first.stop();
    const second = await host.startEnclave();
    assert.deepEqual((await status()).history, { state: "complete" }, "a stop leaves no gap");
    await second.stop();

    let hidden = 0;
    hideRecords(host.store, ({ kind }) => {
      if (kind === "intent") hidden += 1;
      return kind === "intent";
    });
    await host.startEnclave();
    assert.ok(hidden > 0, "a record was hidden");
    const incomplete = { state: "incomplete", reason: "no-snapshot" };
    assert.deepEqual([(await status()).history, (await latestHandOver())?.history], [incomplete, incomplete]);
    const [later] = await call();
    assert.deepEqual([later?.detail?.["history"], later?.detail?.["history_reason"]], ["incomplete", "no-snapshot"]);
    assert.equal(later?.session_sensitivity_after, "hipaa_phi");
  });
});
