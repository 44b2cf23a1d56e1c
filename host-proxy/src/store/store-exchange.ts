import { CmcpError, examine } from "@cmcp/boundary";
import type { IncomingExchange, Opening } from "@cmcp/wire";
import type { AppendQueue } from "./append-queue.ts";
import { RECORD_BYTES, type BlobStore } from "./blob-store.ts";

/** Serves an `append`: status 200 once the record, which is the body, is stored. Throws what the store throws. */
export async function serveAppend(appends: AppendQueue, exchange: IncomingExchange, key: Extract<Opening, { t: "append" }>): Promise<void> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const part of exchange.body) {
    const chunk = examine(part);
    length += chunk.length;
    if (length > RECORD_BYTES) throw new CmcpError("AUDIT_RECORD_TOO_LARGE", `a record exceeds ${RECORD_BYTES} bytes`);
    chunks.push(chunk);
  }
  const [only] = chunks;
  await appends.append(key, chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
  await exchange.respond({ status: 200, headers: {} });
  await exchange.end();
}

/** Serves a `scan`: status 200, then every matching record as u32 big-endian length and bytes. */
export async function serveScan(store: BlobStore, exchange: IncomingExchange, filter: Extract<Opening, { t: "scan" }>): Promise<void> {
  const batches = store.scan(filter);
  // The first batch is read before the head is sent: a store that cannot be read is an error, not an empty answer.
  let batch = batches.next();
  await exchange.respond({ status: 200, headers: {} });
  for (; batch.done !== true; batch = batches.next()) await exchange.write(framed(batch.value));
  await exchange.end();
}

function framed(records: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const record of records) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(record.length);
    parts.push(length, record);
  }
  return Buffer.concat(parts);
}
