/** Files that are no store, and stores that cannot be written. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { batch, record } from "../../testing/log-records.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { SqliteStore } from "./sqlite-store.ts";

const STORE = JSON.stringify(new URL("./sqlite-store.ts", import.meta.url).href);

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
