import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { erasureSuite } from "../../testing/erasure-suite.ts";
import { batch, record } from "../../testing/log-records.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { SqliteStore } from "./sqlite-store.ts";

erasureSuite({
  name: "SQLite in a file",
  create: async (t, archive) => {
    const options = archive === undefined ? {} : { archive };
    return new SqliteStore(join(temporaryDirectory(t), "audit.db"), { durable: false, ...options });
  },
});

test("no file of SQLite has an erased body, also where it stood before it was compacted", async (t) => {
  const folder = temporaryDirectory(t);
  const path = join(folder, "audit.db");
  const gateway = new SqliteStore(path, { durable: false });
  const [compacted, plain, kept] = [0, 1, 2].map(() => randomBytes(9_000).toString("base64url"));
  assert.ok(compacted !== undefined && plain !== undefined && kept !== undefined);
  const filler = (index: number): ReturnType<typeof record> => record(Buffer.alloc(5_000, `${index} `));
  await gateway.append(batch(0, record(Buffer.from(compacted)), filler(1)));
  for (let first = 2; first < 40; first += 2) await gateway.append(batch(first, filler(first), filler(first + 1)));
  await gateway.append(batch(40, record(Buffer.from(plain)), record(Buffer.from(kept))));
  await gateway.compact({ keep: 20, records: 20 });
  const operator = new SqliteStore(path, { durable: true });
  assert.deepEqual([await operator.erase(0), await operator.erase(40)], [true, true]);
  await operator.close();
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
  // A page of the file has at least this many bytes of a body that spans several.
  const pieces = (body: string): string[] => Array.from({ length: 180 }, (_, at) => body.slice(at * 60, at * 60 + 40));
  const found = (body: string): boolean =>
    files.some((file) => pieces(body).some((piece) => piece.length > 30 && file.includes(piece)));
  assert.deepEqual([compacted, plain, kept].map(found), [false, false, true]);
  await gateway.append(batch(42, filler(42)));
  await gateway.close();
});

test("an erasure says so while another process reads the write-ahead log", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = new SqliteStore(path, { durable: false });
  await store.append(batch(0, record("one"), record("two")));
  const { DatabaseSync } = await import("node:sqlite");
  const reader = new DatabaseSync(path);
  reader.exec("BEGIN; SELECT count(*) FROM segments;");
  await assert.rejects(store.erase(0), { code: "AUDIT_STORE_UNAVAILABLE", message: /write-ahead log/ });
  reader.close();
  assert.equal(await store.erase(0), false);
  await store.close();
});
