import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { examine } from "@cmcp/boundary";
import { encodeRecords, ExchangePool, unixDialer, type Opening, type OutgoingExchange } from "@cmcp/wire";
import { egressAllowList } from "./egress/allow-list.ts";
import { EgressRelay } from "./egress/relay.ts";
import { listenServices } from "./services.ts";
import { BlobStore, RECORD_BYTES } from "./store/blob-store.ts";
import { memoryLog } from "./testing/memory-log.ts";
import { temporaryDirectory } from "./testing/temporary-directory.ts";

async function services(
  t: TestContext,
  storePath: string | null = null,
): Promise<{ pool: ExchangePool; store: BlobStore; path: string; log: () => string }> {
  const path = join(temporaryDirectory(t), "services.sock");
  const { log, text } = memoryLog();
  const store = new BlobStore(storePath);
  const listener = await listenServices(path, { relay: new EgressRelay(egressAllowList([]), log), store, log });
  const pool = new ExchangePool(unixDialer(path), { maxStreams: 4 });
  t.after(async () => {
    await pool.close();
    await listener.close();
  });
  return { pool, store, path, log: text };
}

async function exchange(pool: ExchangePool, opening: Opening, body: Uint8Array): Promise<OutgoingExchange> {
  const opened = await pool.open(opening);
  if (body.length > 0) await opened.write(body);
  await opened.end();
  return opened;
}

async function collected(body: OutgoingExchange["body"]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const part of body) chunks.push(examine(part));
  return Buffer.concat(chunks);
}

const append = (seq: number): Opening => ({ t: "append", instance: "i", seq });
const record = (bytes: Uint8Array, session = "s"): Uint8Array => encodeRecords([{ session, kind: "k", bytes }]);

test("an append is answered after the record can be read back; a scan frames records by length", async (t) => {
  const { pool, store } = await services(t);
  const large = Buffer.alloc(100_000, 7);
  for (const [seq, body] of [Buffer.from("one"), large, Buffer.from("other")].entries()) {
    const { head } = await exchange(pool, append(seq), record(body, seq === 2 ? "t" : "s"));
    assert.equal((await head).status, 200);
    assert.equal([...store.scan({})].flat().length, seq + 1);
  }
  const { body } = await exchange(pool, { t: "scan", session: "s" }, new Uint8Array(0));
  const bytes = await collected(body);
  assert.equal(bytes.readUInt32BE(0), 3);
  assert.equal(bytes.subarray(4, 7).toString(), "one");
  assert.equal(bytes.readUInt32BE(7), large.length);
  assert.deepEqual(bytes.subarray(11), large);
});

test("a record stored twice, or too large, is refused with its code, and the next append works", async (t) => {
  const { pool, log } = await services(t);
  await (await exchange(pool, append(1), record(Buffer.from("a")))).head;
  await assert.rejects((await exchange(pool, append(1), record(Buffer.from("b")))).head, {
    code: "AUDIT_STORE_MISMATCH",
  });
  const oversized = await pool.open(append(2));
  await assert.rejects(
    Promise.all([
      oversized.write(record(new Uint8Array(RECORD_BYTES + 1))).then(() => oversized.end()),
      oversized.head,
    ]),
    { code: "AUDIT_RECORD_TOO_LARGE" },
  );
  assert.equal((await (await exchange(pool, append(2), record(Buffer.from("c")))).head).status, 200);
  assert.match(log(), /"code":"AUDIT_STORE_MISMATCH"/);
});

test("records of one append are stored in their order or, when one is refused, none is, and its code is the answer", async (t) => {
  const { pool, store } = await services(t);
  const three = encodeRecords(["a", "b", "c"].map((text) => ({ session: "s", kind: "k", bytes: Buffer.from(text) })));
  assert.equal((await (await exchange(pool, append(5), three)).head).status, 200);
  assert.deepEqual(
    [...store.scan({ instance: "i" })].flat().map((body) => Buffer.from(body).toString()),
    ["a", "b", "c"],
  );
  assert.equal(
    (await (await exchange(pool, append(5), three)).head).status,
    200,
    "the same records again are acknowledged again",
  );
  await assert.rejects((await exchange(pool, append(6), three)).head, { code: "AUDIT_STORE_MISMATCH" });
  await assert.rejects((await exchange(pool, append(9), three.subarray(0, -1))).head, { code: "WIRE_TRUNCATED" });
  assert.equal([...store.scan({ instance: "i" })].flat().length, 3);
});

test("a store that fails says so to the enclave, for reading and for writing", async (t) => {
  const { pool, store } = await services(t);
  store.close();
  await assert.rejects((await exchange(pool, append(1), record(Buffer.from("a")))).head, {
    code: "AUDIT_STORE_UNAVAILABLE",
  });
  await assert.rejects((await exchange(pool, { t: "scan" }, new Uint8Array(0))).head, {
    code: "AUDIT_STORE_UNAVAILABLE",
  });
});

test("why a store fails is in the log, in fixed words", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const { pool, log } = await services(t, path);
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  await assert.rejects((await exchange(pool, append(1), record(Buffer.from("a")))).head, {
    code: "AUDIT_STORE_UNAVAILABLE",
  });
  other.close();
  assert.match(
    log(),
    /"code":"AUDIT_STORE_UNAVAILABLE","reason":"another process holds it","msg":"host service failed"/,
  );
});

test("half a record is not stored when the enclave dies in the middle", async (t) => {
  const { pool, store } = await services(t);
  const cut = await pool.open(append(1));
  await cut.write(record(Buffer.from("half")).subarray(0, -2));
  cut.abort();
  assert.equal((await (await exchange(pool, append(2), record(Buffer.from("whole")))).head).status, 200);
  assert.deepEqual(
    [...store.scan({})].flat().map((body) => Buffer.from(body).toString()),
    ["whole"],
  );
});

test("only egress, append and scan are served", async (t) => {
  const { pool } = await services(t);
  for (const opening of [
    { t: "launch" },
    { t: "provision" },
    { t: "drain" },
    { t: "request", method: "GET", path: "/mcp", headers: {} },
  ] as const) {
    await assert.rejects((await exchange(pool, opening, new Uint8Array(0))).head, { code: "WIRE_UNEXPECTED_FRAME" });
  }
});

test("bytes that are not frames close their stream and nothing else", async (t) => {
  const { pool, path } = await services(t);
  const socket = connect(path).resume();
  socket.write("GET / HTTP/1.1\r\n\r\n");
  await once(socket, "close");
  assert.equal((await (await exchange(pool, append(1), record(Buffer.from("a")))).head).status, 200);
});
