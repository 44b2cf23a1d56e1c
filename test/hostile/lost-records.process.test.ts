/** A host whose store loses records, or shows them at one time and not at another, through the endpoints of agents. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import type { JournalRecord } from "@cmcp/audit";
import { deployQuickstart } from "../gateway/deployment.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { startObservedHost, type ObservedHost, type Reply } from "./observed-host.ts";
import { hideRecords } from "./stored-records.ts";

const TOKEN = "lost-records-test-token-lost-records-1";

describe("a store that lies", () => {
  let folder: string;
  let records: RecordsServer;
  let config: string;
  let host: ObservedHost;
  /** Which records the host keeps to itself. */
  let hides: (record: JournalRecord) => boolean;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-lost-"));
    records = await startRecordsServer();
    config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
  });
  after(async () => {
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    hides = () => false;
    host = await startObservedHost(config, { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN });
    hideRecords(host.store, (record) => hides(record));
  });

  const call = async (): Promise<{ readonly session: string; readonly status: number }> => {
    const reply = await host.request("POST", "/mcp", {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "send_message", arguments: { to: "x", text: "x" } },
    });
    return { session: receiptOf(JSON.parse(reply.body) as RpcReply).session_id, status: reply.status };
  };
  const exported = async (id: string): Promise<Reply> => await host.request("GET", `/audit/export?session_id=${id}`);
  const claimed = async (id: string): Promise<Reply> => await host.request("GET", `/sessions/${id}/trace-claim`);
  const refused = ({ status, body }: Reply): void => {
    assert.equal(status, 500);
    assert.match(body, /AUDIT_STORE_MISMATCH/);
  };

  test("and loses one record of a session cannot keep its claim back, and has nothing to export", async (t) => {
    t.after(() => host.close());
    await host.startEnclave();
    const { session } = await call();
    hides = (record) => record.kind === "entry" && record.body.sequence_number === 1;
    assert.equal((await host.request("POST", `/sessions/${session}/close`)).status, 200);
    const next = await call();
    assert.equal(next.status, 200);
    assert.notEqual(next.session, session);
    assert.equal((await call()).session, next.session);
    refused(await exported(session));
    assert.equal((await claimed(session)).status, 200);
    hides = () => false;
    assert.equal((await host.request("POST", `/sessions/${next.session}/close`)).status, 200);
  });

  test("and loses a record in the middle of a long session ends its export before it is a bundle", async (t) => {
    t.after(() => host.close());
    await host.startEnclave();
    const { session } = await call();
    for (let count = 0; count < 150; count += 1) await call();
    const whole = await exported(session);
    assert.equal(whole.status, 200);
    assert.ok(whole.body.endsWith('"}'));
    hides = (record) => record.kind === "entry" && record.body.sequence_number === 100;
    const reply = await exported(session).catch((thrown: unknown) => thrown);
    assert.ok(reply instanceof Error, "the reply was cut");
  });

  for (const first of ["claim", "export"] as const)
    test(`between two answers about an earlier session is refused at the second, after the ${first}`, async (t) => {
      t.after(() => host.close());
      const earlier = await host.startEnclave();
      const { session } = await call();
      assert.equal((await host.request("POST", `/sessions/${session}/close`)).status, 200);
      await earlier.stop();
      await host.startEnclave();
      const withoutClaim = (record: JournalRecord): boolean => record.kind === "claim";
      if (first === "export") hides = withoutClaim;
      const told = first === "claim" ? await claimed(session) : await exported(session);
      assert.equal(told.status, 200);
      assert.equal(told.body.includes('"incomplete":true'), first === "export");
      hides = first === "export" ? () => false : withoutClaim;
      refused(first === "claim" ? await exported(session) : await claimed(session));
    });
});
