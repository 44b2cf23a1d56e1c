/**
 * What a call takes on disk, and how long an append, the compaction and a scan take. Records are generated in the
 * size of real ones: each call is an intent and an entry of one of 64 sessions, nine records a batch. Every hash and
 * identifier is random, as commitments are salted.
 *
 * `node test/bench/store-size.ts [--calls=50000] [--durable] [--sessions=64] [--late]`; times are processor time on all
 * threads, which other work does not lengthen. With `--late` everything is compacted at the end.
 */
import { hash, randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { constants, zstdCompressSync } from "node:zlib";
import { decidedBy, SessionChain } from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import { PLAIN_RECORDS } from "../../host-proxy/src/store/compaction.ts";
import type { Batch, StoredRecord } from "../../host-proxy/src/store/log-store.ts";
import { encodeSegment } from "../../host-proxy/src/store/segment.ts";
import { SqliteStore } from "../../host-proxy/src/store/sqlite/sqlite-store.ts";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "50000" },
    sessions: { type: "string", default: "64" },
    durable: { type: "boolean", default: false },
    late: { type: "boolean", default: false },
  },
});
const CALLS = Number(values.calls);
const BATCH = 9;
const INSTANCE = randomBytes(32).toString("base64url");
const POLICY = digest();
const SERVER = "https://tools.example.com/mcp";

function digest(): string {
  return `sha256:${randomBytes(32).toString("hex")}`;
}

/** A note of the length of a signed checkpoint. */
function note(size: number): string {
  const signature = randomBytes(68).toString("base64");
  return `log.example.com/gateway/1\n${size}\n${randomBytes(32).toString("base64")}\n\n— cmcp-instance-${INSTANCE} ${signature}\n`;
}

class Calls {
  readonly #chains: readonly SessionChain[];
  #made = 0;
  #seq = 0;

  constructor(sessions: number) {
    this.#chains = Array.from({ length: sessions }, () => new SessionChain(randomUUID()));
    for (const chain of this.#chains) chain.append({ entry_type: "session_start" });
  }

  /** The intent and the entry of the next call. */
  next(): readonly StoredRecord[] {
    const chain = this.#chains[this.#made++ % this.#chains.length];
    if (chain === undefined) return [];
    const [callId, request, tip] = [randomUUID(), digest(), chain.tip];
    const labels = { session_sensitivity: "public", integrity: "untrusted" };
    const facts = { tool_name: "search_orders", server_identity: SERVER, workflow_id: "default" };
    const intent = canonicalBytes({
      ...facts,
      ...labels,
      call_id: callId,
      session_id: chain.sessionId,
      request_hash: request,
      policy_hash: POLICY,
      cedar_request_commitment: digest(),
      tip_before: tip,
    });
    const { entry, written } = chain.write({
      ...facts,
      entry_type: "tool_call",
      call_id: callId,
      policy_decision: "allow",
      policy_rule_matched: "allow-search_orders",
      latency_us: this.#made % 5_003,
      request_payload_hash: request,
      response_payload_hash: digest(),
      response_inspection_result: "pass",
      effective_data_class: "public",
      session_sensitivity_before: "public",
      session_sensitivity_after: "public",
      detail: {
        compliance_domain: "public",
        identity_source: "bearer",
        integrity: "untrusted",
        outcome: "delivered",
        policy_hash: POLICY,
        removed: 0,
        upstream_response_hash: digest(),
        cedar_request_commitment: digest(),
      },
    });
    const receipt = {
      ...decidedBy(entry, "plain"),
      instance: INSTANCE,
      seq: (this.#seq += 2),
    };
    const body_hash = `sha256:${hash("sha256", intent)}`;
    const header = { v: "cmcp-leaf-v1", kind: "intent", instance: INSTANCE, seq: this.#seq - 1, body_hash };
    return [
      { session: chain.sessionId, kind: "intent", header: canonicalBytes(header), body: intent },
      { session: chain.sessionId, kind: "entry", header: canonicalBytes(receipt), body: Buffer.from(written.text) },
    ];
  }
}

/** Runs something and says how much processor time it took, on all threads, in milliseconds. */
async function timed<T>(work: () => Promise<T> | T): Promise<{ readonly ms: number; readonly result: T }> {
  const start = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(start);
  return { ms: (user + system) / 1_000, result };
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function levels(records: readonly StoredRecord[]): void {
  const segments: Uint8Array[] = [];
  for (let at = 0; at + 256 <= records.length; at += 256) segments.push(encodeSegment(records.slice(at, at + 256)));
  const calls = segments.length * 128;
  for (const level of [1, 3, 6, 9, 12, 19]) {
    const params = { [constants.ZSTD_c_compressionLevel]: level };
    const start = process.cpuUsage();
    const bytes = segments.reduce((sum, segment) => sum + zstdCompressSync(segment, { params }).length, 0);
    const ms = process.cpuUsage(start).user / 1_000 / segments.length;
    say(`level ${level}: ${Math.round(bytes / calls)} bytes a call, ${ms.toFixed(2)} ms a segment of 256 records`);
  }
}

/** All batches; made first, so that their making is in no time. */
function makeBatches(): readonly Batch[] {
  const calls = new Calls(Number(values.sessions));
  const batches: Batch[] = [];
  let records: StoredRecord[] = [];
  let first = 0;
  for (let made = 0; made < CALLS; made += 1) {
    records.push(...calls.next());
    if (records.length < BATCH && made + 1 < CALLS) continue;
    batches.push({ first, note: note(first + records.length), records });
    first += records.length;
    records = [];
  }
  return batches;
}

async function main(folder: string): Promise<void> {
  const path = join(folder, "audit.db");
  const store = new SqliteStore(path, { durable: values.durable });
  const fail = (thrown: unknown): never => {
    throw thrown;
  };
  store.moveLogAside(() => fail(new Error("the thread of the write-ahead log failed")));
  if (!values.late) store.compactAside(fail);
  const batches = makeBatches();
  const sample = batches.slice(0, 800).flatMap(({ records }) => records);
  const size = batches.reduce((sum, { records }) => sum + records.length, 0);
  const raw = batches.reduce((sum, { records }) => sum + encodeSegment(records).length, 0);
  say(
    `${CALLS} calls in ${values.sessions} sessions, ${Math.round(raw / CALLS)} bytes a call as the enclave sends them`,
  );
  const appending = await timed(async () => {
    for (const batch of batches) {
      await store.append(batch);
      // Compaction has its turn, as it has in the host.
      await setImmediate();
    }
  });
  const each = (appending.ms * 1_000) / batches.length;
  const what = values.late ? "append" : "append and compaction";
  say(`${what}: ${each.toFixed(0)} µs a batch of ${Math.round(size / batches.length)} records`);
  levels(sample);
  const compaction = await timed(async () => store.compact());
  if (values.late) say(`compaction: ${((compaction.ms * 256) / size).toFixed(2)} ms a segment of 256 records`);
  const session = sample[0]?.session ?? "";
  let [found, pieces] = [0, 0];
  const scan = await timed(async () => {
    for await (const piece of store.scan({ session })) [found, pieces] = [found + piece.length, pieces + 1];
  });
  say(`scan of one session: ${found} records in ${pieces} pieces, ${scan.ms.toFixed(0)} ms`);
  // The write-ahead log is in the file after the last close.
  await store.close();
  say(`on disk: ${Math.round(statSync(path).size / CALLS)} bytes a call, the newest ${PLAIN_RECORDS / 2} as they came`);
}

const folder = mkdtempSync(join(tmpdir(), "cmcp-store-size-"));
try {
  await main(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
