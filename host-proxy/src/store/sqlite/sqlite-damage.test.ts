/** Changed segments and tiles are found. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { batch, bodies, record } from "../../testing/log-records.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { checkLog } from "../check-log.ts";
import { SqliteStore } from "./sqlite-store.ts";

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
    await assert.rejects(checkLog(changed), { code: "AUDIT_STORE_DAMAGED" });
    await changed.close();
  });

for (const [what, change, why = /./] of [
  ["a segment that is cut", "UPDATE segments SET records = substr(records, 1, 10)"],
  ["a segment with more", "UPDATE segments SET records = CAST(records || x'00' AS BLOB)"],
  ["a segment of an unknown form", "UPDATE segments SET form = 9", /unknown form/],
  ["a segment without records", "UPDATE segments SET count = 0"],
  ["a segment that is gone", "DELETE FROM segments WHERE first = 1"],
] as const)
  test(`${what} is AUDIT_STORE_DAMAGED`, async (t) => {
    const path = join(temporaryDirectory(t), "audit.db");
    const store = new SqliteStore(path, { durable: false });
    for (const [first, text] of ["one", "two", "three"].entries()) await store.append(batch(first, record(text)));
    await store.close();
    const database = new DatabaseSync(path);
    database.exec(change);
    database.close();
    const changed = new SqliteStore(path, { durable: false });
    await assert.rejects(bodies(changed), { code: "AUDIT_STORE_DAMAGED", message: why });
    await changed.close();
  });
