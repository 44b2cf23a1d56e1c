import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { setImmediate as immediate } from "node:timers";
import { setImmediate, setTimeout as delay } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import { CmcpError } from "@cmcp/boundary";
import { archiveSuite } from "../../testing/archive-suite.ts";
import { batch, bodies, read, record } from "../../testing/log-records.ts";
import { storeSuite } from "../../testing/store-suite.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { checkLog } from "../check-log.ts";
import { SCHEMA } from "./log-schema.ts";
import { NEXT_SEGMENT_SQL } from "./segment-table.ts";
import { SqliteStore } from "./sqlite-store.ts";

const STORE = JSON.stringify(new URL("./sqlite-store.ts", import.meta.url).href);

storeSuite({
  name: "SQLite in memory",
  runs: 50,
  shared: false,
  create: async () => ({ store: new SqliteStore(null, { durable: false }), again: null }),
});

storeSuite({
  name: "SQLite in a file",
  runs: 5,
  shared: true,
  create: async (t) => {
    const path = join(temporaryDirectory(t), "audit.db");
    const open = (): SqliteStore => new SqliteStore(path, { durable: true });
    return { store: open(), again: async () => open() };
  },
});

archiveSuite({
  name: "SQLite in a file",
  create: async (t, archive) => {
    const options = archive === undefined ? {} : { archive };
    return new SqliteStore(join(temporaryDirectory(t), "audit.db"), { durable: false, ...options });
  },
});

test("a batch whose bodies are archived is not compared", async (t) => {
  const folder = temporaryDirectory(t);
  const store = new SqliteStore(join(folder, "audit.db"), { durable: false, archive: join(folder, "archive") });
  for (let first = 0; first < 4; first += 1) await store.append(batch(first, record(String(first))));
  await store.compact({ keep: 2, records: 2 });
  await store.archive(2);
  await assert.rejects(store.append(batch(0, record("0"))), { code: "AUDIT_STORE_UNAVAILABLE", message: /archived/ });
  await store.append(batch(3, record("3")));
  await store.close();
});

test("a back-up is the log of one moment, and a store again", async (t) => {
  const folder = temporaryDirectory(t);
  const store = new SqliteStore(join(folder, "audit.db"), { durable: true });
  for (let first = 0; first < 600; first += 2)
    await store.append(batch(first, record(String(first)), record("x".repeat(3_000))));
  await store.compact({ keep: 100, records: 100 });
  const path = join(folder, "copy.db");
  let size = 600;
  const copied = store.backUp(path);
  for (; size < 700; size += 1) {
    await store.append(batch(size, record(String(size))));
    await setImmediate();
  }
  await copied;
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(existsSync(`${path}-wal`), false, "the file is all of it");
  const records = await read(store);
  await store.close();
  const restored = new SqliteStore(path, { durable: true });
  const checked = await checkLog(restored);
  assert.ok(checked !== null && checked.size >= 600);
  assert.deepEqual(await read(restored), records.slice(0, checked.size));
  await restored.append(batch(checked.size, record("goes on")));
  await assert.rejects(restored.backUp(path), { code: "AUDIT_STORE_UNAVAILABLE" });
  await restored.close();
});

for (const [what, change] of [
  ["a hash tile", "UPDATE tiles SET hashes = zeroblob(8192)"],
  ["a record", "UPDATE segments SET records = CAST(replace(records, 'of', 'fo') AS BLOB) WHERE first = 256"],
] as const)
  test(`a check finds ${what} that was changed`, async (t) => {
    const path = join(temporaryDirectory(t), "audit.db");
    const store = new SqliteStore(path, { durable: false });
    for (let first = 0; first < 600; first += 256)
      await store.append(batch(first, ...Array.from({ length: 256 }, (_, at) => record(String(first + at)))));
    await checkLog(store);
    await store.close();
    const database = new DatabaseSync(path);
    database.exec(change);
    database.close();
    const changed = new SqliteStore(path, { durable: false });
    await assert.rejects(checkLog(changed), { code: "AUDIT_STORE_MISMATCH" });
    await changed.close();
  });

test("the file is private to this user, whatever the umask", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = new SqliteStore(path, { durable: true });
  await store.append(batch(0, record("one")));
  for (const file of [path, `${path}-wal`]) assert.equal(statSync(file).mode & 0o777, 0o600, file);
  await store.close();
});

test("a durable store syncs each append, and another none", (t) => {
  if (spawnSync("strace", ["-V"]).status !== 0) return t.skip("strace is missing, which counts the syncs");
  const syncs = (durable: boolean): number => {
    const folder = temporaryDirectory(t);
    const source = `
      const { SqliteStore } = await import(${STORE});
      const store = new SqliteStore("audit.db", { durable: ${durable} });
      for (let first = 0; first < 50; first += 1)
        await store.append({ first, note: "n", records: [{ session: "s", kind: "k", header: Buffer.from("{}"), body: Buffer.from("b") }] });
      process.kill(process.pid, "SIGKILL");`;
    const { stderr } = spawnSync(
      "strace",
      ["-f", "-e", "trace=fsync,fdatasync", process.execPath, "--no-warnings", "--input-type=module", "--eval", source],
      { cwd: folder, encoding: "utf8" },
    );
    return stderr.split("\n").filter((line) => line.includes("sync(")).length;
  };
  assert.ok(syncs(true) >= 50);
  assert.ok(syncs(false) < 10);
});

test("what was appended survives kill -9 of the process", async (t) => {
  for (const durable of [true, false]) {
    const path = join(temporaryDirectory(t), "audit.db");
    const source = `
      const { SqliteStore } = await import(${STORE});
      const store = new SqliteStore(${JSON.stringify(path)}, { durable: ${durable} });
      store.moveLogAside(() => process.exit(1));
      for (let first = 0; ; first += 1) {
        const body = Buffer.alloc(5000, String(first));
        await store.append({ first, note: "n", records: [{ session: "s", kind: "k", header: Buffer.from("{}"), body }] });
        process.stdout.write(first + "\\n");
        if (first % 16 === 0) await new Promise(setImmediate);
      }`;
    const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", source], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await once(child.stdout, "data");
    await delay(700);
    child.kill("SIGKILL");
    await once(child, "close");
    // A line that was cut is of an append that came after the last whole one.
    const appended = said.split("\n").length - 1;
    const store = new SqliteStore(path, { durable });
    const size = (await store.head())?.size ?? 0;
    assert.ok(size >= appended && appended > 0, `${appended} were appended, ${size} are there`);
    assert.equal((await read(store)).length, size);
    await store.append(batch(size, record("next")));
    await store.close();
  }
});

test("a thread moves the write-ahead log, which is gone with the store", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = new SqliteStore(path, { durable: false });
  store.moveLogAside(() => assert.fail("the thread failed"));
  const body = Buffer.alloc(5_000, 7);
  let size = 0;
  const append = async (): Promise<void> => {
    await store.append(batch(size, record(body, `s${size % 32}`)));
    size += 1;
  };
  for (let count = 0; count < 1_200; count += 1) await append();
  // A log that begins anew does not grow, as its first pages are written over.
  for (let before = 0, bytes = 1; bytes > before; ) {
    before = statSync(`${path}-wal`).size;
    await append();
    bytes = statSync(`${path}-wal`).size;
    await delay(10);
  }
  assert.ok(statSync(`${path}-wal`).size < 8_000 * 4_096, "no append moved it");
  await store.close();
  assert.deepEqual([existsSync(`${path}-wal`), existsSync(`${path}-shm`)], [false, false], "the file is all of it");
  const again = new SqliteStore(path, { durable: false });
  assert.equal((await read(again)).length, size);
  await again.close();
});

test("a file that cannot be opened is AUDIT_STORE_UNAVAILABLE, with its path and why", (t) => {
  const folder = temporaryDirectory(t);
  mkdirSync(join(folder, "directory"));
  writeFileSync(join(folder, "file"), "");
  const refused: Readonly<Record<string, string>> = {
    [join(folder, "missing", "audit.db")]: "its folder does not exist",
    [join(folder, "directory")]: "it is a folder",
    [join(folder, "file", "audit.db")]: "a part of its path is not a folder",
  };
  for (const [path, why] of Object.entries(refused))
    assert.throws(() => new SqliteStore(path, { durable: true }), {
      code: "AUDIT_STORE_UNAVAILABLE",
      message: `${path}: the audit store cannot be opened: ${why}`,
    });
});

test("another file is not taken for a store, and nothing is written to it", (t) => {
  const folder = temporaryDirectory(t);
  const notes = join(folder, "notes.txt");
  writeFileSync(notes, "not a database, but long enough to have a header of one hundred bytes".repeat(4));
  assert.throws(() => new SqliteStore(notes, { durable: true }), {
    code: "AUDIT_STORE_UNAVAILABLE",
    message: `${notes}: the audit store failed: it is not a database`,
  });
  const other = join(folder, "other.db");
  const database = new DatabaseSync(other);
  database.exec("CREATE TABLE customers (name TEXT); PRAGMA application_id = 0x634d4350; PRAGMA user_version = 3;");
  database.close();
  const before = statSync(other).mtimeMs;
  assert.throws(() => new SqliteStore(other, { durable: true }), {
    code: "AUDIT_STORE_UNAVAILABLE",
    message: `${other}: the file is not an audit store of this version`,
  });
  assert.deepEqual([statSync(other).mtimeMs, existsSync(`${other}-wal`)], [before, false]);
});

test("a full disk refuses the append and keeps what was there", async (t) => {
  if (spawnSync("unshare", ["-Urm", "true"]).status !== 0)
    return t.skip("user namespaces are forbidden here, so no small file system can be mounted");
  const source = `
    const { SqliteStore } = await import(${STORE});
    const store = new SqliteStore("audit.db", { durable: true });
    const append = (first, size) => store.append({ first, note: "n", records: [
      { session: "s", kind: "k", header: Buffer.from(String(first)), body: new Uint8Array(size) }] });
    let size = 0;
    try {
      for (; size < 1000; size += 1) await append(size, 4096);
    } catch (error) {
      const head = await store.head();
      let kept = 0;
      for await (const piece of store.scan({})) kept += piece.length;
      const partial = (await store.tile(0, 0)).length / 32;
      console.log(JSON.stringify({ code: error.code, message: error.message, same: [head.size, kept, partial].every((count) => count === size) }));
    }`;
  const mounted =
    'mount -t tmpfs -o size=512k tmpfs "$1" && cd "$1" && exec "$2" --no-warnings --input-type=module --eval "$3"';
  const { stdout } = spawnSync(
    "unshare",
    ["-Urm", "sh", "-c", mounted, "sh", temporaryDirectory(t), process.execPath, source],
    { encoding: "utf8" },
  );
  assert.deepEqual(JSON.parse(stdout), {
    code: "AUDIT_STORE_UNAVAILABLE",
    message: "the audit store failed: the disk is full",
    same: true,
  });
});

test("another process that holds the file ends an append in bounded time", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = new SqliteStore(path, { durable: false });
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  await assert.rejects(store.append(batch(0, record("one"))), {
    code: "AUDIT_STORE_UNAVAILABLE",
    message: "the audit store failed: another process holds it",
  });
  other.exec("ROLLBACK");
  await store.append(batch(0, record("one")));
  other.close();
  await store.close();
});

for (const [what, change, why = /./] of [
  ["a segment that is cut", "UPDATE segments SET records = substr(records, 1, 10)"],
  ["a segment with more", "UPDATE segments SET records = CAST(records || x'00' AS BLOB)"],
  ["a segment of an unknown form", "UPDATE segments SET form = 9", /unknown form/],
  ["a segment without records", "UPDATE segments SET count = 0"],
  ["a segment that is gone", "DELETE FROM segments WHERE first = 1"],
] as const)
  test(`${what} is AUDIT_STORE_MISMATCH`, async (t) => {
    const path = join(temporaryDirectory(t), "audit.db");
    const store = new SqliteStore(path, { durable: false });
    for (const [first, text] of ["one", "two", "three"].entries()) await store.append(batch(first, record(text)));
    await store.close();
    const database = new DatabaseSync(path);
    database.exec(change);
    database.close();
    const changed = new SqliteStore(path, { durable: false });
    await assert.rejects(bodies(changed), { code: "AUDIT_STORE_MISMATCH", message: why });
    await changed.close();
  });

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
  test(`a compacted segment ${what} is AUDIT_STORE_MISMATCH`, async (t) => {
    const path = await compacted(t);
    const database = new DatabaseSync(path);
    const held = database.prepare("SELECT records FROM segments WHERE first = 3").get()?.["records"];
    assert.ok(held instanceof Uint8Array);
    database.prepare("UPDATE segments SET records = ? WHERE first = 3").run(change(held));
    database.close();
    const store = new SqliteStore(path, { durable: false });
    const before = process.memoryUsage().arrayBuffers;
    await assert.rejects(bodies(store), { code: "AUDIT_STORE_MISMATCH" });
    await assert.rejects(store.append(batch(4, record("x".repeat(1_000)))), { code: "AUDIT_STORE_MISMATCH" });
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
    code: "AUDIT_STORE_MISMATCH",
    message: "the audit store holds a segment of 1073741824 bytes at 3",
  });
  await store.close();
});

test("a scan lets others have their turn after each segment", async () => {
  const store = new SqliteStore(null, { durable: false });
  for (let first = 0; first < 50; first += 1) await store.append(batch(first, record("one")));
  let turns = 0;
  const others = new AbortController();
  const turn = (): void => {
    turns += 1;
    if (!others.signal.aborted) immediate(turn);
  };
  turn();
  assert.equal((await read(store)).length, 50);
  others.abort();
  assert.ok(turns >= 50, `${turns} turns`);
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
