import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { batch } from "../../testing/log-records.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { SqliteStore } from "./sqlite-store.ts";

const ENTRIES = 1_000_000;
const BATCH = 4_000;
const BODY = 600;
/** Far below the entries' 600 MB. */
const MEMORY = 192 * 1024 * 1024;

test("a session of a million entries is compacted and scanned in bounded memory, in order", async (t) => {
  const store = new SqliteStore(join(temporaryDirectory(t), "audit.db"), { durable: false });
  store.moveLogAside(() => assert.fail("the thread failed"));
  const records = (first: number): ReturnType<typeof batch> =>
    batch(
      first,
      ...Array.from({ length: BATCH }, (_, at) => ({
        session: "long",
        kind: "entry",
        header: Buffer.from(String(first + at)),
        body: Buffer.alloc(BODY, String(first + at)),
      })),
    );
  for (let first = 0; first < ENTRIES; first += BATCH) await store.append(records(first));
  await store.compact();
  const before = process.memoryUsage().rss;
  let [next, peak] = [0, 0];
  for await (const piece of store.scan({ session: "long", kind: "entry" })) {
    assert.ok(piece.length <= 64);
    for (const { index, header } of piece) {
      assert.equal(index, next);
      assert.equal(Buffer.from(header).toString(), String(next));
      next += 1;
    }
    if (next % 1_024 === 0) peak = Math.max(peak, process.memoryUsage().rss - before);
  }
  assert.equal(next, ENTRIES);
  assert.ok(peak < MEMORY, `the scan took ${Math.round(peak / 2 ** 20)} MiB`);
  await store.close();
});
