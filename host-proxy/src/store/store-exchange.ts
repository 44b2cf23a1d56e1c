import { CmcpError, examine, untrusted } from "@cmcp/boundary";
import { decodeRecords, type IncomingExchange, type Opening } from "@cmcp/wire";
import { RECORD_BYTES, type BlobStore } from "./blob-store.ts";

/** Bytes of one append: a record of the largest size and what goes with it. */
const APPEND_BYTES = RECORD_BYTES + 1024 * 1024;

/**
 * Serves an `append`: status 200 once every record of the body is stored. Throws what the store throws where none is.
 */
export async function serveAppend(
  store: BlobStore,
  exchange: IncomingExchange,
  { instance, seq }: Extract<Opening, { t: "append" }>,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const part of exchange.body) {
    const chunk = examine(part);
    length += chunk.length;
    if (length > APPEND_BYTES) throw new CmcpError("AUDIT_RECORD_TOO_LARGE", `an append exceeds ${APPEND_BYTES} bytes`);
    chunks.push(chunk);
  }
  const records = decodeRecords(untrusted(Buffer.concat(chunks)));
  store.append(
    instance,
    seq,
    records.map(({ session, kind, bytes }) => ({ session, kind, body: bytes })),
  );
  await exchange.respond({ status: 200, headers: {} });
  await exchange.end();
}

/** Serves a `scan`: status 200, then every matching record as u32 big-endian length and bytes. */
export async function serveScan(
  store: BlobStore,
  exchange: IncomingExchange,
  filter: Extract<Opening, { t: "scan" }>,
): Promise<void> {
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
