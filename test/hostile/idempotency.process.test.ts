/**
 * The enclave is killed at every point of a call with an idempotency key that the host can see. Whatever the point: the host may send the
 * request again before and after, there is one call at most, and the next enclave answers for the key what the log has.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { formatIdempotencyKey, IDEMPOTENCY_META_KEY } from "@cmcp/boundary";
import { deployQuickstart } from "../gateway/deployment.ts";
import type { RpcReply } from "../gateway/fixture.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { startObservedHost, type ObservedHost, type Reply } from "./observed-host.ts";
import { entriesIn } from "./stored-records.ts";

const TOKEN = "idempotency-token-idempotency-token";
const MAX_POINTS = 64;

interface Answered {
  readonly state: string;
  readonly may_still_run?: boolean;
  readonly decision?: string;
  readonly outcome?: string;
}

/** What a kill at one point left. */
interface Run {
  readonly point: string;
  /** Calls that reached the server. */
  readonly reached: number;
  /** The answer to the same request at the next enclave. */
  readonly again: Reply;
  readonly answered: Answered;
  /** Entries of calls in the store. */
  readonly entries: readonly AuditEntry[];
}

describe("the enclave dies during a call with a key", () => {
  let folder: string;
  let records: RecordsServer;
  let config: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-keys-"));
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

  const message = (key: string, to: string): object => ({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "send_message", arguments: { to, text: "x" }, _meta: { [IDEMPOTENCY_META_KEY]: key } },
  });
  const sizeOf = async (host: ObservedHost): Promise<number> =>
    (JSON.parse((await host.request("GET", "/v1/status")).body) as { log: { size: number } }).log.size;
  const ask = async (host: ObservedHost, key: string): Promise<Answered> =>
    JSON.parse((await host.request("GET", `/calls?idempotency_key=${key}`)).body) as Answered;

  /** Runs one call with the enclave killed at the n-th point; `null` when the call has no such point. */
  async function killAt(wanted: number): Promise<Run | null> {
    const host = await startObservedHost(config, { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN });
    try {
      const first = await host.startEnclave();
      const key = formatIdempotencyKey(await sizeOf(host), randomBytes(16));
      const to = `point-${wanted}`;
      const sent = records.calls.length;
      let seen = 0;
      let killed: string | null = null;
      host.observe((point) => {
        seen += 1;
        if (seen !== wanted || killed !== null) return;
        killed = point;
        process.kill(first.pid, "SIGKILL");
      });
      const replayed = [1, 2, 3].map(
        async () => await host.request("POST", "/mcp", message(key, to)).catch(() => null),
      );
      await Promise.all(replayed);
      if (killed === null) return null;
      await first.exited;
      host.observe(() => undefined);
      await host.startEnclave();
      const again = await host.request("POST", "/mcp", message(key, to));
      const answered = await ask(host, key);
      const entries = (await entriesIn(host.store)).filter((entry) => entry.entry_type === "tool_call");
      return { point: killed, reached: records.calls.length - sent, again, answered, entries };
    } finally {
      await host.close();
    }
  }

  test("at every point, one after the other", async (t) => {
    let points = 0;
    const states = new Set<string>();
    for (let wanted = 1; wanted < MAX_POINTS; wanted += 1) {
      const run = await killAt(wanted);
      if (run === null) break;
      points += 1;
      await t.test(`${wanted}: ${run.point}`, () => {
        const { reached, again, answered, entries } = run;
        assert.ok(reached <= 1, "the call reached the server at most once");
        const { error } = JSON.parse(again.body) as RpcReply;
        assert.deepEqual([again.status, error?.data?.error_code], [412, "IDEMPOTENCY_KEY_REFUSED"]);
        const [entry, ...others] = entries;
        assert.deepEqual(others, []);
        if (entry === undefined) {
          assert.equal(reached, 0);
          assert.deepEqual([answered.state, answered.may_still_run], ["unseen", false]);
        } else {
          assert.equal(answered.state, "ended");
          assert.equal(answered.decision, entry.policy_decision);
          if (entry.policy_decision === "fault") assert.equal(answered.outcome, "unknown");
        }
        states.add(`${answered.state} ${answered.decision ?? ""}`);
      });
    }
    assert.ok(points >= 6, `a call has an intent, an egress and an entry to be killed at, found ${points}`);
    assert.deepEqual(states, new Set(["unseen ", "ended fault", "ended allow"]), "each of the three was met");
  });
});
