import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { openDatabase } from "./log-database.ts";

/** `PRAGMA synchronous` (sqlite.org/pragma.html): 1 is NORMAL, 2 is FULL. */
test("a commit of a durable store waits for the disk, also where another opened the file before", (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  for (const [durable, synchronous] of [
    [false, 1],
    [true, 2],
    [false, 1],
    [true, 2],
  ] as const) {
    const database = openDatabase(path, durable);
    assert.equal(database.prepare("PRAGMA synchronous").get()?.["synchronous"], synchronous);
    assert.equal(database.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "wal");
    database.close();
  }
});
