/** A log in SQLite does as every store of logs, and can be copied. */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers";
import { setImmediate } from "node:timers/promises";
import { archiveSuite, type ArchivingEngine } from "../../testing/archive-suite.ts";
import { batch, read, record } from "../../testing/log-records.ts";
import { retentionSuite } from "../../testing/retention-suite.ts";
import { storeSuite } from "../../testing/store-suite.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { checkLog } from "../check-log.ts";
import { SqliteStore } from "./sqlite-store.ts";

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

const archiving: ArchivingEngine = {
  name: "SQLite in a file",
  create: async (t, archive) => {
    const options = archive === undefined ? {} : { archive };
    return new SqliteStore(join(temporaryDirectory(t), "audit.db"), { durable: false, ...options });
  },
};
archiveSuite(archiving);
retentionSuite(archiving);

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

test("the file is private to this user, whatever the umask", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = new SqliteStore(path, { durable: true });
  await store.append(batch(0, record("one")));
  for (const file of [path, `${path}-wal`]) assert.equal(statSync(file).mode & 0o777, 0o600, file);
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
