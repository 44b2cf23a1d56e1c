import { CmcpError, examine, untrusted } from "@cmcp/boundary";
import { Prover, sha256 } from "@cmcp/log";
import { decodeBatch, encodeScanned, type IncomingExchange, type Opening, type Turns } from "@cmcp/wire";
import { BATCH_BYTES, NOTE_BYTES, type LogStore } from "./log-store.ts";

type OpeningOf<T extends Opening["t"]> = Extract<Opening, { t: T }>;

/** Kind of the record that completes a snapshot. */
const SNAPSHOT = "snapshot";

/** Bytes of one append: a batch of the largest size, its note, and the lengths of their parts. */
const APPEND_BYTES = BATCH_BYTES + NOTE_BYTES + 64 * 1024;

/** Serves an `append`: status 200 once every record of the body is stored. Throws what the store throws where none is. */
export async function serveAppend(
  store: Pick<LogStore, "append">,
  exchange: IncomingExchange,
  { first }: OpeningOf<"append">,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const part of exchange.body) {
    const chunk = examine(part);
    length += chunk.length;
    if (length > APPEND_BYTES) throw new CmcpError("AUDIT_RECORD_TOO_LARGE", `an append exceeds ${APPEND_BYTES} bytes`);
    chunks.push(chunk);
  }
  const { note, records } = decodeBatch(untrusted(Buffer.concat(chunks)));
  await store.append({
    first,
    note,
    records: records.map(({ session, kind, leaf, body }) => ({ session, kind, header: leaf, body })),
  });
  await exchange.respond({ status: 200, headers: {} });
  await exchange.end();
}

/** What a scan reads, and what its pieces wait for. */
interface ScanPorts {
  readonly store: LogStore;
  readonly turns: Pick<Turns, "next">;
}

/**
 * Serves a `scan`: status 200, then every matching record. The scan of a session is for an export, beside which agents' calls
 * go on, so its pieces take turns. A whole log is read before there are calls.
 */
export async function serveScan(
  { store, turns }: ScanPorts,
  exchange: IncomingExchange,
  filter: OpeningOf<"scan">,
): Promise<void> {
  const pieces = store.scan(filter)[Symbol.asyncIterator]();
  // The first piece is read before the head is sent: a store that cannot be read is an error, not an empty answer.
  let piece = await pieces.next();
  await exchange.respond({ status: 200, headers: {} });
  for (; piece.done !== true; piece = await pieces.next()) {
    if (filter.session !== undefined) await turns.next();
    await exchange.write(encodeScanned(piece.value.map(({ header, ...record }) => ({ ...record, leaf: header }))));
  }
  await exchange.end();
}

/**
 * Serves a `head`: the log's size, its newest note and its newest snapshot. An enclave asks once, when it starts. No
 * other gateway appends from here until its first record, or it would never reach the end of a busy log.
 */
export async function serveHead(store: LogStore, exchange: IncomingExchange): Promise<void> {
  await store.hold?.();
  const head = (await store.head()) ?? { size: 0, note: "" };
  const snapshot = await store.latest(SNAPSHOT);
  await answer(exchange, Buffer.from(JSON.stringify({ ...head, snapshot })));
}

/** Serves a `range`: the hashes that stand for the first records. */
export async function serveRange(
  store: LogStore,
  exchange: IncomingExchange,
  { size }: OpeningOf<"range">,
): Promise<void> {
  await answer(exchange, Buffer.concat(await proverOf(store, size).range()));
}

/** Serves a `prove`: the inclusion path of a record. */
export async function serveProve(
  store: LogStore,
  exchange: IncomingExchange,
  { index, size }: OpeningOf<"prove">,
): Promise<void> {
  await answer(exchange, Buffer.concat(await proverOf(store, size).inclusion(index)));
}

function proverOf(store: LogStore, size: number): Prover {
  return new Prover(size, ({ level, index }) => store.tile(level, index), sha256);
}

async function answer(exchange: IncomingExchange, bytes: Uint8Array): Promise<void> {
  await exchange.respond({ status: 200, headers: {} });
  if (bytes.length > 0) await exchange.write(bytes);
  await exchange.end();
}
