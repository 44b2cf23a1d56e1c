/** What compaction leaves as it was, in every engine. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { CompactingStore } from "../store/compaction.ts";
import { batch, checkTiles, plain, read, record } from "./log-records.ts";
import type { StoreEngine } from "./store-engine.ts";

/** Runs the suite over one engine. */
export function compactionSuite(engine: StoreEngine): void {
  const it = (what: string, run: (t: TestContext) => Promise<void>): Promise<void> =>
    test(`${engine.name}: ${what}`, run);

  void it("what is compacted is the same log", async (t) => {
    const { store, again } = await engine.create(t);
    const batches = Array.from({ length: 50 }, (_, index) =>
      batch(
        index * 7,
        ...Array.from({ length: 7 }, (__, at) => record(`${index}/${at}`, `s${at % 3}`, at === 6 ? "claim" : "entry")),
      ),
    );
    for (const each of batches) await store.append(each);
    const records = [...(await read(store))];
    const scan = store.scan({ session: "s1" });
    await store.compact({ keep: 20, records: 30 });
    await store.compact({ keep: 20, records: 30 });
    let seen = 0;
    for await (const piece of scan) {
      seen += piece.length;
      await store.compact({ keep: 0, records: 30 });
    }
    assert.equal(seen, 100);
    const check = async (opening: CompactingStore): Promise<void> => {
      const size = records.length;
      assert.deepEqual(await opening.head(), { size, note: `log.example/1\n${size}\n` });
      assert.deepEqual(await read(opening), records);
      for (const session of ["s0", "s1", "s2"])
        assert.deepEqual(
          await read(opening, { session, kind: "claim", from: 50 }),
          records.filter((one) => one.index >= 50 && one.session === session && one.kind === "claim"),
        );
      assert.deepEqual(
        await read(opening, { kind: "claim", to: 300 }),
        records.filter((one) => one.index < 300 && one.kind === "claim"),
      );
      const headers = records.map(({ header }) => header);
      await checkTiles(opening, headers, [
        [0, 0],
        [0, 1],
        [1, 0],
      ]);
      for (const each of batches) await opening.append(each);
      const [first] = batches;
      const changed = (first?.records ?? []).with(3, record("other", "s0"));
      await assert.rejects(opening.append(batch(0, ...changed)), { code: "AUDIT_STORE_MISMATCH" });
    };
    await check(store);
    await store.close();
    if (again === null) return;
    const later = await again();
    await check(later);
    for (let index = 350; index < 400; index += 1) {
      const added = record(String(index));
      await later.append(batch(index, added));
      records.push(plain({ index, ...added }));
    }
    await later.compact({ keep: 0, records: 30 });
    assert.deepEqual(await read(later), records);
    await later.close();
  });

  if (engine.shared)
    void it("two that compact at the same time lose nothing", async (t) => {
      const { store, again } = await engine.create(t);
      assert.ok(again !== null);
      const other = await again();
      for (let size = 0; size < 240; ) {
        for (const end = size + 60; size < end; size += 1) await store.append(batch(size, record(String(size))));
        const expected = await read(store);
        // Each in turn comes late, and each puts together another number.
        await Promise.all([store.compact({ keep: 0, records: 7 }), other.compact({ keep: 0, records: 10 })]);
        assert.deepEqual(await read(other), expected);
        await Promise.all([other.compact({ keep: 0, records: 4 }), store.compact({ keep: 0, records: 3 })]);
        assert.deepEqual(await read(store), expected);
      }
      await other.close();
      await store.close();
    });
}
