/**
 * The enclave is killed at every point of a call that the host can see. Whatever the point: the call has
 * exactly one audit entry in the end, it reached the server at most once, and the next enclave serves.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { jwkThumbprintText } from "@cmcp/attestation";
import type { AuditEntry, ProvenHandOver, Receipt, SigningJwk } from "@cmcp/audit";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { deployQuickstart } from "../gateway/deployment.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { startObservedHost, type Reply } from "./observed-host.ts";
import { entriesIn } from "./stored-records.ts";

const TOKEN = "crash-test-token-crash-test-token-1";
const MAX_POINTS = 64;

const sendMessage = (to: string) => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "send_message", arguments: { to, text: "x" } },
});

describe("the enclave dies during a call", () => {
  let folder: string;
  let records: RecordsServer;
  let config: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-crash-"));
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

  /** Runs one call with the enclave killed at the n-th point; `null` when the call has no such point. */
  async function killAt(
    wanted: number,
  ): Promise<{ point: string; entries: AuditEntry[]; reached: number; next: Reply } | null> {
    const host = await startObservedHost(config, { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN });
    try {
      const first = await host.startEnclave();
      const before = records.calls.length;
      let seen = 0;
      let killed: string | null = null;
      host.observe((point) => {
        seen += 1;
        if (seen !== wanted || killed !== null) return;
        killed = point;
        process.kill(first.pid, "SIGKILL");
      });
      const to = `point-${wanted}`;
      await host.request("POST", "/mcp", sendMessage(to)).catch(() => undefined);
      if (killed === null) return null;
      await first.exited;
      // What the dead enclave had already handed over still arrives.
      await sleep(50);
      host.observe(() => undefined);
      await host.startEnclave();
      const next = await host.request("POST", "/mcp", sendMessage("after"));
      const reached = records.calls.slice(before).filter((call) => (call.arguments as { to: string }).to === to).length;
      return { point: killed, entries: await entriesIn(host.store), reached, next };
    } finally {
      await host.close();
    }
  }

  test("what an interrupted session leaves still verifies, is marked incomplete, and gets no claim", async () => {
    const host = await startObservedHost(config, { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN });
    try {
      const first = await host.startEnclave();
      const answered = JSON.parse((await host.request("POST", "/mcp", sendMessage("one"))).body) as RpcReply;
      const receipt = receiptOf(answered);
      host.observe((point) => {
        if (point === "intent stored") process.kill(first.pid, "SIGKILL");
      });
      await host.request("POST", "/mcp", sendMessage("two")).catch(() => undefined);
      await first.exited;
      host.observe(() => undefined);
      await host.startEnclave();
      const left = JSON.parse((await host.request("GET", `/audit/export?session_id=${receipt.session_id}`)).body) as {
        incomplete: boolean;
        entries: AuditEntry[];
        receipts: Receipt[];
        hand_over: ProvenHandOver;
        signing_key: SigningJwk;
      };
      assert.equal(left.incomplete, true);
      assert.deepEqual(
        left.entries.map((entry) => entry.entry_type),
        ["session_start", "tool_call"],
      );
      const [found, ...others] = left.receipts;
      assert.deepEqual(others, []);
      // The decision is the same, and stands in the same place of the log, under a note of the instance that answers.
      assert.deepEqual({ ...found, log: null }, { ...receipt, log: null });
      assert.equal(found?.log.index, receipt.log.index);
      assert.notEqual(found?.log.note, receipt.log.note);
      // The log of the instance that answers proves the key of the one that decided.
      assert.equal(jwkThumbprintText(left.hand_over.body.jwk), receipt.instance);
      assert.match(left.hand_over.log.note, new RegExp(`cmcp-instance-${jwkThumbprintText(left.signing_key)} `));
      const claim = await host.request("GET", `/sessions/${receipt.session_id}/trace-claim`);
      assert.equal(claim.status, 409);
      assert.match(claim.body, /SESSION_INCOMPLETE/);
    } finally {
      await host.close();
    }
  });

  test("at every point, one after the other", async (t) => {
    let points = 0;
    for (let wanted = 1; wanted < MAX_POINTS; wanted += 1) {
      const run = await killAt(wanted);
      if (run === null) break;
      points += 1;
      await t.test(`${wanted}: ${run.point}`, () => {
        const calls = run.entries.filter((entry) => entry.entry_type === "tool_call");
        const mine = calls.slice(0, -1);
        assert.ok(run.reached <= 1, "the call reached the server at most once");
        assert.ok(mine.length <= 1, "the call has at most one entry");
        if (run.reached === 1) assert.equal(mine.length, 1, "a call that reached the server has its entry");
        const recovered = run.entries.find((entry) => entry.detail?.["recovered_instance"] !== undefined);
        if (mine[0]?.policy_decision === "fault") {
          assert.equal(mine[0].session_id, recovered?.session_id, "an open intent is answered in a recovery session");
          assert.equal(mine[0].detail?.["outcome"], "unknown");
          assert.match(String(recovered?.detail?.["recovered_tip"]), /^[0-9a-f]{64}$/);
          assert.match(String(recovered?.detail?.["recovered_intents_hash"]), /^[0-9a-f]{64}$/);
        } else {
          assert.equal(recovered, undefined, "nothing is recovered where nothing was open");
        }
        assert.equal(run.next.status, 200, "the next good request works");
        assert.equal(calls.at(-1)?.policy_decision, "allow");
      });
    }
    assert.ok(points >= 6, `a call has intents, an egress and entries to be killed at, found ${points}`);
  });
});
