import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createLog } from "../log.ts";
import { batch, read, record } from "../testing/log-records.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { openExisting, openForHost } from "./open-store.ts";

const log = createLog({ level: "info", destination: new PassThrough() });
const compressed = (path: string): number => {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(database.prepare("SELECT count(*) AS count FROM segments WHERE form = 1").get()?.["count"]);
  } finally {
    database.close();
  }
};

test("a host's store compacts old batches beside the appends", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = await openForHost({ path }, { log, durable: false });
  t.after(async () => store.close());
  const records = Array.from({ length: 100 }, (_, at) => record(`record ${at}`));
  let size = 0;
  // Compaction goes on in the background, and begins with an append.
  while (size < 1600 || compressed(path) === 0) {
    await store.append(batch(size, ...records));
    size += records.length;
    await setImmediate();
  }
  assert.equal((await read(store)).length, size);
});

test("a file that is no store is refused, and none is made", async (t) => {
  const folder = temporaryDirectory(t);
  const [none, empty, other] = ["none.db", "empty.db", "other.db"].map((name) => join(folder, name));
  writeFileSync(empty ?? "", "");
  writeFileSync(other ?? "", "no database");
  for (const path of [none ?? "", empty ?? "", folder, other ?? ""])
    await assert.rejects(openExisting({ path }), { code: "AUDIT_STORE_UNAVAILABLE" }, path);
  assert.ok(!existsSync(none ?? ""));
  const made = await openForHost({ path: none ?? "" }, { log, durable: false });
  await made.close();
  const again = await openExisting({ path: none ?? "" });
  assert.equal(await again.head(), null);
  await again.close();
});
