/** Old batches are compacted into segments. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import { CmcpError } from "@cmcp/boundary";
import { batch, bodies, read, record } from "../../testing/log-records.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { SCHEMA } from "./log-schema.ts";
import { NEXT_SEGMENT_SQL } from "./segment-table.ts";
import { SqliteStore } from "./sqlite-store.ts";

async function compacted(t: TestContext): Promise<string> {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = new SqliteStore(path, { durable: false });
  for (let first = 0; first < 6; first += 1) await store.append(batch(first, record("x".repeat(1_000))));
  await store.append(batch(6, record("six"), record("seven"), record("eight")));
  await store.compact({ keep: 2, records: 3 });
  await store.close();
  return path;
}

test("the newest batches stay as they came, and the others are compacted by records", async (t) => {
  const database = new DatabaseSync(await compacted(t));
  const rows = database.prepare("SELECT first, count, form, length FROM segments ORDER BY first").all();
  assert.deepEqual(
    rows.map(({ first, count, form }) => [first, count, form]),
    [
      [0, 3, 1],
      [3, 3, 1],
      [6, 3, 0],
    ],
  );
  database.close();
});

test("who finds that another has compacted leaves no batch out", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const [one, two] = [new SqliteStore(path, { durable: false }), new SqliteStore(path, { durable: false })];
  for (let first = 0; first < 12; first += 1) await one.append(batch(first, record(String(first))));
  await two.compact({ keep: 0, records: 20 });
  await one.compact({ keep: 0, records: 4 });
  await one.append(batch(12, record("12")));
  await two.compact({ keep: 0, records: 13 });
  await one.append(batch(13, record("13")));
  await two.compact({ keep: 0, records: 2 });
  await Promise.all([one.close(), two.close()]);
  const database = new DatabaseSync(path);
  const rows = database.prepare("SELECT first, count, form FROM segments ORDER BY first").all();
  assert.deepEqual(
    rows.map(({ first, count, form }) => [first, count, form]),
    [0, 4, 8, 12].map((first) => [first, first === 12 ? 2 : 4, 1]),
  );
  database.close();
});

for (const [what, change] of [
  ["that is cut", (bytes: Uint8Array) => bytes.subarray(0, -1)],
  ["with a changed byte", (bytes: Uint8Array) => bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte))],
  ["that decompresses to a gigabyte", () => zstdCompressSync(Buffer.alloc(2 ** 30))],
  ["that is not compressed", () => Buffer.alloc(100)],
] as const)
  test(`a compacted segment ${what} is AUDIT_STORE_DAMAGED`, async (t) => {
    const path = await compacted(t);
    const database = new DatabaseSync(path);
    const held = database.prepare("SELECT records FROM segments WHERE first = 3").get()?.["records"];
    assert.ok(held instanceof Uint8Array);
    database.prepare("UPDATE segments SET records = ? WHERE first = 3").run(change(held));
    database.close();
    const store = new SqliteStore(path, { durable: false });
    const before = process.memoryUsage().arrayBuffers;
    await assert.rejects(bodies(store), { code: "AUDIT_STORE_DAMAGED" });
    await assert.rejects(store.append(batch(4, record("x".repeat(1_000)))), { code: "AUDIT_STORE_DAMAGED" });
    assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024, "no gigabyte was made");
    await store.close();
  });

test("a segment that says it has more bytes than any is refused before it is decompressed", async (t) => {
  const path = await compacted(t);
  const database = new DatabaseSync(path);
  database
    .prepare("UPDATE segments SET length = ?, records = ? WHERE first = 3")
    .run(2 ** 30, zstdCompressSync(Buffer.alloc(2 ** 30)));
  database.close();
  const store = new SqliteStore(path, { durable: false });
  await assert.rejects(bodies(store), {
    code: "AUDIT_STORE_DAMAGED",
    message: "the audit store holds a segment of 1073741824 bytes at 3",
  });
  await store.close();
});

test("old batches are compacted while others are appended, and a failure is said and tried again", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = new SqliteStore(path, { durable: false });
  const failure = Promise.withResolvers<unknown>();
  store.compactAside(failure.resolve);
  const watcher = new DatabaseSync(path);
  watcher.exec("CREATE TRIGGER refuse BEFORE DELETE ON segments BEGIN SELECT RAISE(ABORT, 'refused'); END");
  let size = 0;
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) {
      await store.append(batch(size, record("x".repeat(1_000)), record("y".repeat(500))));
      size += 2;
      await setImmediate();
    }
  };
  let failed = false;
  void failure.promise.then(() => (failed = true));
  await until(() => failed);
  assert.equal((await failure.promise) instanceof CmcpError, true);
  watcher.exec("DROP TRIGGER refuse");
  const count = watcher.prepare("SELECT count(*) AS count FROM segments WHERE form = 1");
  await until(() => Number(count.get()?.["count"]) > 3);
  watcher.close();
  await store.close();
  const again = new SqliteStore(path, { durable: false });
  assert.equal((await read(again)).length, size);
  await again.close();
});

test("the next segment is found without looking at others, and without sorting", () => {
  const database = new DatabaseSync(":memory:");
  database.exec(SCHEMA);
  for (const sql of NEXT_SEGMENT_SQL) {
    const steps = database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...[1, 2, 3].slice(0, sql.match(/\?/g)?.length))
      .map(({ detail }) => String(detail));
    for (const step of steps) assert.match(step, /^SEARCH \w+ USING (INTEGER )?PRIMARY KEY \(/, step);
  }
  database.close();
});
