/** A host that takes a record out of the past: the next enclave says so, and treats every principal as one that has seen the worst. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { decodeRecord, type AuditEntry, type InstanceFacts } from "@cmcp/audit";
import { untrusted } from "@cmcp/boundary";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { deployQuickstart } from "../gateway/deployment.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { startObservedHost, type ObservedHost } from "./observed-host.ts";

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
  const latestFacts = (): InstanceFacts | undefined =>
    [...host.store.scan({ kind: "instance" })]
      .flat()
      .map((bytes) => decodeRecord(untrusted(bytes)))
      .flatMap((record) => (record.kind === "instance" ? [record.body] : []))
      .at(-1);
  const call = async (): Promise<AuditEntry[]> => {
    const answered = JSON.parse((await host.request("POST", "/mcp", message)).body) as RpcReply;
    const id = receiptOf(answered).session_id;
    const bundle = JSON.parse((await host.request("GET", `/audit/export?session_id=${id}`)).body) as {
      entries: AuditEntry[];
    };
    return bundle.entries;
  };

  test("is said in the status, the instance record and every root entry, and raises every principal", async () => {
    const first = await host.startEnclave();
    const [root] = await call();
    assert.deepEqual(
      [(await status()).history, latestFacts()?.history, root?.detail?.["history"]],
      [{ state: "complete" }, { state: "complete" }, "complete"],
    );
    await first.stop();
    const second = await host.startEnclave();
    assert.deepEqual((await status()).history, { state: "complete" }, "a stop leaves no gap");
    await second.stop();

    const scan = host.store.scan.bind(host.store);
    let hidden = 0;
    host.store.scan = function* hiding(filter) {
      for (const found of scan(filter)) {
        const shown = found.filter((bytes) => !isIntent(bytes));
        hidden += found.length - shown.length;
        yield shown;
      }
    };
    await host.startEnclave();
    assert.ok(hidden > 0, "a record was hidden");
    const incomplete = { state: "incomplete", reason: "gap" };
    assert.deepEqual([(await status()).history, latestFacts()?.history], [incomplete, incomplete]);
    const [later] = await call();
    assert.deepEqual([later?.detail?.["history"], later?.detail?.["history_reason"]], ["incomplete", "gap"]);
    assert.equal(later?.session_sensitivity_after, "hipaa_phi");
  });
});

function isIntent(bytes: Uint8Array): boolean {
  return decodeRecord(untrusted(bytes)).kind === "intent";
}
