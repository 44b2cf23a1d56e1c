import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { batch, record } from "../testing/log-records.ts";
import { checkLog } from "./check-log.ts";
import type { IndexedRecord, LogStore } from "./log-store.ts";
import { SqliteStore } from "./sqlite/sqlite-store.ts";

const DAMAGED = { code: "AUDIT_STORE_DAMAGED" };

/** A log of 300 records whose answers are changed on their way. */
async function changed(t: TestContext, answers: (store: SqliteStore) => Partial<LogStore>): Promise<LogStore> {
  const store = new SqliteStore(null, { durable: false });
  t.after(async () => store.close());
  await store.append(batch(0, ...Array.from({ length: 300 }, (_, at) => record(String(at)))));
  assert.equal((await checkLog(store))?.size, 300);
  return {
    append: async (one) => store.append(one),
    head: async () => store.head(),
    keepCosigned: async (head) => store.keepCosigned(head),
    cosigned: async () => store.cosigned(),
    latest: async (kind) => store.latest(kind),
    scan: (filter) => store.scan(filter),
    tile: async (level, index) => store.tile(level, index),
    close: async () => store.close(),
    ...answers(store),
  };
}

/** The pieces of a scan but for one. */
async function* without(
  pieces: AsyncIterable<readonly IndexedRecord[]>,
  left: (first: number) => boolean,
): AsyncGenerator<readonly IndexedRecord[]> {
  for await (const piece of pieces) if (!left(piece[0]?.index ?? 0)) yield piece;
}

test("a scan that ends early is found", async (t) => {
  const short = await changed(t, (store) => ({
    scan: (filter) => without(store.scan(filter), (first) => first === 256),
  }));
  await assert.rejects(checkLog(short), { ...DAMAGED, message: /no record at 256$/ });
});

test("a scan with a gap is found", async (t) => {
  const gap = await changed(t, (store) => ({ scan: (filter) => without(store.scan(filter), (first) => first === 64) }));
  await assert.rejects(checkLog(gap), { ...DAMAGED, message: /no record at 64$/ });
});

for (const index of [0, 1])
  test(`another hash in tile 0/${index} is found`, async (t) => {
    const other = await changed(t, (store) => ({
      tile: async (level, at) => {
        const tile = await store.tile(level, at);
        return level === 0 && at === index ? tile.map((byte, offset) => (offset === 9 ? byte ^ 1 : byte)) : tile;
      },
    }));
    await assert.rejects(checkLog(other), { ...DAMAGED, message: new RegExp(`hash tile 0/${index}$`) });
  });
