import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { examine } from "@cmcp/boundary";
import { appendLeaves, EMPTY_RANGE, leafHash, rangeFromHashes, rootFromPath, rootOf, sha256 } from "@cmcp/log";
import { decodeScanned, encodeBatch, ExchangePool, unixDialer, type Opening, type OutgoingExchange } from "@cmcp/wire";
import { egressAllowList } from "./egress/allow-list.ts";
import { EgressRelay } from "./egress/relay.ts";
import { listenServices, type HostServices } from "./services.ts";
import { BODY_BYTES, PIECE_RECORDS } from "./store/log-store.ts";
import { SqliteStore } from "./store/sqlite/sqlite-store.ts";
import type { RoundResult } from "./witness/cosigner.ts";
import { memoryLog } from "./testing/memory-log.ts";
import { read } from "./testing/log-records.ts";
import { temporaryDirectory } from "./testing/temporary-directory.ts";

async function services(
  t: TestContext,
  storePath: string | null = null,
  cosigner?: HostServices["cosigner"],
): Promise<{ pool: ExchangePool; store: SqliteStore; path: string; log: () => string }> {
  const path = join(temporaryDirectory(t), "services.sock");
  const { log, text } = memoryLog();
  const store = new SqliteStore(storePath, { durable: false });
  const relay = new EgressRelay(egressAllowList([]), log);
  const witnesses = cosigner === undefined ? {} : { cosigner };
  const listener = await listenServices(path, { relay, store, log, ...witnesses });
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

const append = (first: number): Opening => ({ t: "append", first });
const wired = (text: string, session: string) => ({
  session,
  kind: "k",
  leaf: Buffer.from(`leaf ${text.slice(0, 8)}`),
  body: Buffer.from(text),
});
const batch = (texts: readonly string[], session = "s"): Uint8Array =>
  encodeBatch({ note: `note ${texts.length}`, records: texts.map((text) => wired(text, session)) });

async function bodies(store: SqliteStore): Promise<string[]> {
  return (await read(store)).map(({ body }) => Buffer.from(body).toString());
}

test("each piece of a session's scan waits for its turn, and no piece of a whole log's does", async (t) => {
  const { log } = memoryLog();
  const path = join(temporaryDirectory(t), "services.sock");
  const store = new SqliteStore(null, { durable: false });
  const header = new Uint8Array(1);
  const records = Array.from({ length: PIECE_RECORDS + 1 }, () => ({ session: "s", kind: "k", header, body: header }));
  await store.append({ first: 0, note: "note", records });
  let turns = 0;
  const next = (): Promise<void> => Promise.resolve(void (turns += 1));
  const listener = await listenServices(
    path,
    { relay: new EgressRelay(egressAllowList([]), log), store, log },
    { next },
  );
  const pool = new ExchangePool(unixDialer(path), { maxStreams: 4 });
  t.after(async () => {
    await pool.close();
    await listener.close();
  });
  for (const [filter, taken] of [
    [{}, 0],
    [{ session: "s" }, 2],
  ] as const) {
    const { body } = await exchange(pool, { t: "scan", ...filter }, new Uint8Array(0));
    let shown = 0;
    for await (const _ of decodeScanned(body, BODY_BYTES)) shown += 1;
    assert.deepEqual([shown, turns], [records.length, taken]);
  }
});

test("an append is answered after the record can be read back; a scan has the records that match, each at its index", async (t) => {
  const { pool, store } = await services(t);
  const large = "7".repeat(100_000);
  for (const [first, text] of ["one", large, "other"].entries()) {
    const { head } = await exchange(pool, append(first), batch([text], first === 2 ? "t" : "s"));
    assert.equal((await head).status, 200);
    assert.equal((await bodies(store)).length, first + 1);
  }
  const { body } = await exchange(pool, { t: "scan", session: "s" }, new Uint8Array(0));
  const shown: unknown[] = [];
  for await (const { index, kind, leaf, body: of } of decodeScanned(body, BODY_BYTES))
    shown.push([index, kind, Buffer.from(examine(leaf)).toString(), Buffer.from(examine(of)).toString()]);
  assert.deepEqual(shown, [
    [0, "k", "leaf one", "one"],
    [1, "k", "leaf 77777777", large],
  ]);
});

test("another record at an index, a gap, and one too large are refused with their codes, and the next append works", async (t) => {
  const { pool, log } = await services(t);
  await (await exchange(pool, append(0), batch(["a"]))).head;
  for (const first of [0, 2])
    await assert.rejects((await exchange(pool, append(first), batch(["b"]))).head, { code: "AUDIT_STORE_MISMATCH" });
  const oversized = await pool.open(append(1));
  await assert.rejects(
    Promise.all([oversized.write(batch(["1".repeat(BODY_BYTES + 1)])).then(() => oversized.end()), oversized.head]),
    { code: "AUDIT_RECORD_TOO_LARGE" },
  );
  assert.equal((await (await exchange(pool, append(1), batch(["c"]))).head).status, 200);
  assert.match(log(), /"code":"AUDIT_STORE_MISMATCH"/);
});

test("records of one append are stored in their order or, when one is refused, none is, and its code is the answer", async (t) => {
  const { pool, store } = await services(t);
  const three = batch(["a", "b", "c"]);
  assert.equal((await (await exchange(pool, append(0), three)).head).status, 200);
  assert.deepEqual(await bodies(store), ["a", "b", "c"]);
  assert.equal(
    (await (await exchange(pool, append(0), three)).head).status,
    200,
    "the same records again are acknowledged again",
  );
  await assert.rejects((await exchange(pool, append(1), three)).head, { code: "AUDIT_STORE_MISMATCH" });
  await assert.rejects((await exchange(pool, append(3), three.subarray(0, -1))).head, { code: "WIRE_TRUNCATED" });
  assert.equal((await bodies(store)).length, 3);
});

test("a head names size, note and the newest snapshot; ranges and paths lead to the root", async (t) => {
  const { pool } = await services(t);
  const headOf = async (): Promise<unknown> =>
    JSON.parse((await collected((await exchange(pool, { t: "head" }, new Uint8Array(0))).body)).toString());
  assert.deepEqual(await headOf(), { size: 0, note: "", snapshot: null });
  const records = Array.from({ length: 256 }, (_, index) => ({
    ...wired(String(index), "s"),
    kind: index === 200 ? "snapshot" : "k",
  }));
  const leaves = [...records, ...records].map(({ leaf }) => leafHash(leaf));
  for (const first of [0, 256])
    await (await exchange(pool, append(first), encodeBatch({ note: `note ${first}`, records }))).head;
  assert.deepEqual(await headOf(), { size: 512, note: "note 256", snapshot: 456 });
  for (const size of [1, 255, 300, 512]) {
    const expected = rootOf(appendLeaves(EMPTY_RANGE, leaves.slice(0, size)).range);
    const hashesOf = async (opening: Opening): Promise<Uint8Array[]> => {
      const bytes = new Uint8Array(await collected((await exchange(pool, opening, new Uint8Array(0))).body));
      return Array.from({ length: bytes.length / 32 }, (_, place) => bytes.slice(place * 32, (place + 1) * 32));
    };
    assert.deepEqual(rootOf(rangeFromHashes(size, await hashesOf({ t: "range", size }))), expected);
    const index = size - 1;
    const path = await hashesOf({ t: "prove", index, size });
    const led = await rootFromPath(leaves[index] ?? assert.fail(), { index, size, path }, sha256);
    assert.deepEqual(led, expected);
  }
});

test("a store that fails says so to the enclave, for reading and for writing", async (t) => {
  const { pool, store } = await services(t);
  await store.close();
  const code = "AUDIT_STORE_UNAVAILABLE";
  await assert.rejects((await exchange(pool, append(0), batch(["a"]))).head, { code });
  for (const opening of [
    { t: "scan" },
    { t: "head" },
    { t: "range", size: 2 },
    { t: "prove", index: 0, size: 2 },
  ] as const)
    await assert.rejects((await exchange(pool, opening, new Uint8Array(0))).head, { code });
});

test("why a store fails is in the log, in fixed words", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const { pool, log } = await services(t, path);
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  await assert.rejects((await exchange(pool, append(0), batch(["a"]))).head, {
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
  const cut = await pool.open(append(0));
  await cut.write(batch(["half"]).subarray(0, -2));
  cut.abort();
  assert.equal((await (await exchange(pool, append(0), batch(["whole"]))).head).status, 200);
  assert.deepEqual(await bodies(store), ["whole"]);
});

test("only egress and the exchanges of the log are served", async (t) => {
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
  assert.equal((await (await exchange(pool, append(0), batch(["a"]))).head).status, 200);
});

test("a note is cosigned, and the lines are handed on as they are", async (t) => {
  const notes: string[] = [];
  const cosign = async (note: string): Promise<RoundResult> => {
    notes.push(note);
    return { lines: `\u2014 over ${note}`, met: false };
  };
  const { pool } = await services(t, null, { cosign });
  const answered = await exchange(pool, { t: "cosign" }, Buffer.from("a note\n"));
  assert.equal((await answered.head).status, 200);
  assert.equal((await collected(answered.body)).toString("utf8"), "\u2014 over a note\n");
  assert.deepEqual(notes, ["a note\n"]);
});

test("a note that is too long is no note, and a host without witnesses says so", async (t) => {
  const { pool } = await services(t, null, { cosign: () => assert.fail("it is not asked") });
  const long = await exchange(pool, { t: "cosign" }, Buffer.alloc(4097, "x"));
  await assert.rejects(long.head, { code: "NOTE_MALFORMED" });
  const without = await services(t);
  const answered = await exchange(without.pool, { t: "cosign" }, Buffer.from("a note\n"));
  await assert.rejects(answered.head, { code: "WITNESS_UNAVAILABLE" });
});
