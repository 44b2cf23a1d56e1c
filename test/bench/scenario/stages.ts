import { createHash, generateKeyPairSync, randomUUID, sign as signBytes } from "node:crypto";
import { connect } from "node:net";
import { join } from "node:path";
import {
  decidedBy,
  encodeRecord,
  SessionChain,
  type Decided,
  type EntryFields,
  type JournalStatement,
} from "@cmcp/audit";
import { canonicalBytes, examine, parseJson, untrusted, type JsonObject } from "@cmcp/boundary";
import { SqliteStore } from "@cmcp/host-proxy";
import { appendLeaves, EMPTY_RANGE, formatCheckpoint, leafHash, rootOf } from "@cmcp/log";
import { inspectArguments, inspectResult } from "@cmcp/inspection";
import { UpstreamClient, readMessage } from "@cmcp/mcp";
import { ExchangePool, listenUnix, serveStream, unixDialer } from "@cmcp/wire";
import { TOOL, callArguments, callBody } from "../call.ts";
import { figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { CATALOG_TOOL, decision } from "./cedar.ts";
import { contentStages } from "./content-stages.ts";
import { bareRoundTrip } from "./http-stage.ts";
import { RULES } from "./setup.ts";
import { microseconds } from "./timing.ts";

/** One step of a call, how often a call takes it, and what was measured. */
interface Stage {
  readonly name: string;
  readonly times: number;
  readonly work: () => unknown;
  readonly detail: string;
}

const HASH = `sha256:${"0".repeat(64)}`;
const INSTANCE = "A".repeat(43);
const { privateKey } = generateKeyPairSync("ed25519");
const sign = (bytes: Uint8Array): Uint8Array => signBytes(null, bytes, privateKey);
const result: JsonObject = { content: [{ type: "text", text: callArguments().text }] };

function canonicalHash(value: JsonObject): string {
  return `sha256:${createHash("sha256").update(canonicalBytes(value)).digest("hex")}`;
}

function entryFields(): EntryFields {
  return {
    entry_type: "tool_call",
    call_id: randomUUID(),
    tool_name: TOOL,
    server_identity: CATALOG_TOOL.server.identity,
    policy_decision: "allow",
    policy_rule_matched: "allow-echo",
    latency_us: 1000,
    request_payload_hash: HASH,
    response_payload_hash: HASH,
    response_inspection_result: "pass",
    session_sensitivity_before: "public",
    session_sensitivity_after: "public",
    detail: { policy_hash: HASH, compliance_domain: "public", outcome: "delivered", removed: 0 },
    workflow_id: "default",
    effective_data_class: "public",
  };
}

function startedChain(): SessionChain {
  const chain = new SessionChain(randomUUID());
  chain.append({ entry_type: "session_start", policy_decision: "n/a", response_inspection_result: "n/a" });
  return chain;
}

/** A chain refuses entries beyond its limit, so a full one makes way for the next. */
class Chains {
  #chain = startedChain();

  next(): ReturnType<SessionChain["append"]> {
    if (this.#chain.room < 2) this.#chain = startedChain();
    return this.#chain.append(entryFields());
  }
}

async function exchange(pool: ExchangePool, body: Uint8Array): Promise<number> {
  const opened = await pool.open({
    t: "request",
    method: "POST",
    path: "/mcp",
    headers: { "content-type": "application/json" },
  });
  await opened.write(body);
  await opened.end();
  await opened.head;
  let size = 0;
  for await (const chunk of opened.body) size += examine(chunk).length;
  return size;
}

async function framesOver(path: string): Promise<{ pool: ExchangePool; close: () => Promise<void> }> {
  const listener = await listenUnix(path, (stream) =>
    serveStream(stream, async (incoming) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of incoming.body) chunks.push(examine(chunk));
      await incoming.respond({ status: 200, headers: { "content-type": "application/json" } });
      for (const chunk of chunks) await incoming.write(chunk);
      await incoming.end();
    }),
  );
  const pool = new ExchangePool(unixDialer(path), { maxStreams: 4 });
  return {
    pool,
    close: async () => {
      await pool.close();
      await listener.close();
    },
  };
}

/**
 * What each step of a call costs by itself: the exported functions of the product on the measured call, one
 * after the other in this process. Frames, HTTP and upstream include both ends, so the sum is above what
 * the gateway alone spends; the enclave's flags slow it down again. It shows where to look, not what a call takes.
 */
export async function stages({ setUp, folder, plan }: Bench): Promise<Row[]> {
  const { bare } = await setUp();
  const body = Buffer.from(callBody(7));
  const args: JsonObject = { ...callArguments() };
  const store = new SqliteStore(join(folder, "stages.db"), { durable: false });
  const frames = await framesOver(join(folder, "stages.sock"));
  const http = await bareRoundTrip(body);
  const client = new UpstreamClient({
    url: new URL(`${bare.upstreams[0]}/mcp`),
    dial: (host, port) => Promise.resolve(connect({ host, port, noDelay: true })),
    tls: { mode: "none" },
    clientInfo: { name: "bench", version: "1.0.0" },
  });
  const chains = new Chains();
  const entry = chains.next();
  const intent: JournalStatement = {
    kind: "intent",
    body: {
      call_id: randomUUID(),
      session_id: entry.session_id,
      principal: "default",
      tool_name: TOOL,
      server_identity: CATALOG_TOOL.server.identity,
      workflow_id: "default",
      request_hash: HASH,
      policy_hash: HASH,
      session_sensitivity: "public",
      tip_before: entry.entry_hash,
      length_before: entry.sequence_number + 1,
    },
  };
  const decided = decidedBy(entry, "plain");
  let range = EMPTY_RANGE;
  const append = async (statement: JournalStatement, decision: Decided | null): Promise<void> => {
    const first = range.size;
    const { leaf, body: text } = encodeRecord(statement, { instance: INSTANCE, seq: first }, decision);
    range = appendLeaves(range, [leafHash(leaf)]).range;
    const note = formatCheckpoint({ origin: "bench.example/0", size: range.size, root: rootOf(range) });
    await store.append({
      first,
      note,
      records: [{ session: entry.session_id, kind: statement.kind, header: leaf, body: text }],
    });
  };
  const signal = new AbortController().signal;
  const list: readonly Stage[] = [
    { name: "HTTP", times: 1, work: http.work, detail: "one 2 KB exchange with a node:http server, both ends" },
    {
      name: "frames",
      times: 3,
      work: () => exchange(frames.pool, body),
      detail: "one 2 KB exchange over a Unix socket, both ends",
    },
    {
      name: "parse",
      times: 1,
      work: () => readMessage(parseJson(untrusted(body))),
      detail: "strict JSON and JSON-RPC of the request",
    },
    {
      name: "Cedar",
      times: 1,
      work: await decision(RULES, "again"),
      detail: `decision under ${RULES} rules, asked again for its principal`,
    },
    {
      name: "journal",
      times: 1,
      work: async () => {
        await append(intent, null);
        await append({ kind: "entry", body: entry }, decided);
      },
      detail: "two records encoded, hashed into the log and stored, unsigned, without their frames",
    },
    {
      name: "upstream",
      times: 1,
      work: () => client.callTool("bench", { name: TOOL, inputSchema: CATALOG_TOOL.inputSchema }, args, signal),
      detail: "upstream client on a direct connection, server included",
    },
    {
      name: "inspection",
      times: 1,
      work: () => [
        inspectArguments(CATALOG_TOOL, args),
        inspectResult(CATALOG_TOOL, result, { maxBytes: 2_097_152, redactFields: [] }),
      ],
      detail: "arguments and result",
    },
    {
      name: "audit",
      times: 1,
      work: () => [chains.next(), canonicalHash(args), canonicalHash(result)],
      detail: "one chain entry, hashes of request and result",
    },
    {
      name: "sign",
      times: 2,
      work: () => sign(body.subarray(0, 512)),
      detail: "Ed25519: the note over the intent, and the one over the entry, where no others go with them",
    },
  ];
  try {
    const rows: Row[] = [];
    let sum = 0;
    for (const { name, times, work, detail } of list) {
      const taken = await microseconds(work, plan.stageMs);
      sum += taken * times;
      rows.push(
        figure(name, taken * times, "µs", times === 1 ? detail : `${times} × ${taken.toFixed(0)} µs: ${detail}`),
      );
    }
    return [...rows, figure("sum", sum, "µs", "of all stages above"), ...(await contentStages(plan.stageMs))];
  } finally {
    await client.close();
    await http.close();
    await frames.close();
    await store.close();
  }
}
