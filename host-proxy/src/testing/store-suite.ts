/** What every engine of a log store holds to. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import type { IndexedRecord } from "../store/log-store.ts";
import { compactionSuite } from "./compaction-suite.ts";
import { batch, bodies, checkTiles, plain, read, record } from "./log-records.ts";
import type { StoreEngine } from "./store-engine.ts";

/** Runs the suite over one engine. */
export function storeSuite(engine: StoreEngine): void {
  const it = (what: string, run: (t: TestContext) => Promise<void>): Promise<void> =>
    test(`${engine.name}: ${what}`, run);
  compactionSuite(engine);

  void it("what a filter asks for comes back in the order of the log", async (t) => {
    const session = fc.constantFrom("a", "b", "ä");
    const kind = fc.constantFrom("intent", "entry", "claim", "snapshot");
    const one = fc.record({ session, kind, body: fc.uint8Array({ maxLength: 40 }), header: fc.uint8Array() });
    const batches = fc.array(fc.array(one, { minLength: 1, maxLength: 5 }), { maxLength: 12 });
    const filters = fc.array(fc.record({ session, kind, from: fc.nat(40), to: fc.nat(40) }, { requiredKeys: [] }), {
      minLength: 6,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(batches, filters, fc.func(fc.boolean()), async (given, wanted, compacts) => {
        const { store } = await engine.create(t);
        const records: IndexedRecord[] = [];
        for (const each of given) {
          await store.append(batch(records.length, ...each));
          for (const added of each) records.push(plain({ index: records.length, ...added }));
          if (compacts(records.length)) await store.compact({ keep: 0, records: 3 });
        }
        const size = records.length;
        assert.deepEqual(await store.head(), size === 0 ? null : { size, note: `log.example/1\n${size}\n` });
        for (const name of ["claim", "snapshot"])
          assert.equal(await store.latest(name), records.findLast((each) => each.kind === name)?.index ?? null);
        for (const filter of wanted) {
          const { from = 0, to = size } = filter;
          const expected = records.filter(
            (each) =>
              each.index >= from &&
              each.index < to &&
              (filter.session ?? each.session) === each.session &&
              (filter.kind ?? each.kind) === each.kind,
          );
          assert.deepEqual(await read(store, filter), expected);
        }
        await store.close();
      }),
      { numRuns: engine.runs },
    );
  });

  void it("an index is stored once, and a batch as a whole", async (t) => {
    const { store } = await engine.create(t);
    const first = batch(0, record("one"), record("two"));
    await store.append(first);
    await store.append(first);
    const taken = first.records[1] ?? assert.fail();
    for (const other of [
      { ...taken, session: "other" },
      { ...taken, kind: "claim" },
      { ...taken, header: Buffer.from("{}") },
      { ...taken, body: Buffer.from("other") },
    ])
      await assert.rejects(store.append(batch(0, record("one"), other)), { code: "AUDIT_STORE_MISMATCH" });
    await assert.rejects(store.append(batch(1, taken, record("three"))), { code: "AUDIT_STORE_MISMATCH" });
    await assert.rejects(store.append(batch(3, record("four"))), { code: "AUDIT_STORE_MISMATCH" });
    await assert.rejects(store.append(batch(2)), { code: "AUDIT_STORE_MISMATCH" });
    await assert.rejects(store.append(batch(-1, record("zero"))), { code: "AUDIT_STORE_MISMATCH" });
    await store.append(batch(2, record("three")));
    await store.append(first);
    await store.append(batch(1, taken));
    assert.deepEqual(await bodies(store), ["one", "two", "three"]);
    assert.deepEqual(await store.head(), { size: 3, note: "log.example/1\n3\n" });
  });

  void it("every size of a batch is bounded", async (t) => {
    const { store } = await engine.create(t);
    const good = record("good");
    const large = [
      batch(0, good, { ...good, header: Buffer.alloc(4097) }),
      batch(0, good, { ...good, body: Buffer.alloc(16 * 1024 * 1024 + 1) }),
      batch(0, good, { ...good, session: "é".repeat(128) }),
      batch(0, good, { ...good, kind: "k".repeat(256) }),
      batch(0, ...Array.from({ length: 5 }, () => ({ ...good, body: Buffer.alloc(4 * 1024 * 1024) }))),
      batch(0, ...Array.from({ length: 4097 }, () => good)),
      { ...batch(0, good), note: "n".repeat(4097) },
      batch(2 ** 48, good),
    ];
    for (const each of large) await assert.rejects(store.append(each), { code: "AUDIT_RECORD_TOO_LARGE" });
    assert.equal(await store.head(), null);
    const largest = {
      session: "é".repeat(127),
      kind: "k".repeat(255),
      header: Buffer.alloc(4096, 1),
      body: Buffer.alloc(16 * 1024 * 1024, 2),
    };
    const smallest = { session: "", kind: "", header: Buffer.alloc(0), body: Buffer.alloc(0) };
    await store.append(batch(0, largest, smallest));
    assert.deepEqual(await read(store), [
      { index: 0, ...largest },
      { index: 1, ...smallest },
    ]);
  });

  void it("a scan goes in bounded pieces and leaves out what is appended meanwhile", async (t) => {
    const { store } = await engine.create(t);
    const texts = Array.from({ length: 200 }, (_, index) => String(index));
    await store.append(batch(0, ...texts.map((text) => record(text))));
    const seen: string[] = [];
    let size = 200;
    const scan = store.scan({ session: "s" });
    await store.append(batch(size++, record("late")));
    for await (const piece of scan) {
      assert.ok(piece.length <= 64);
      seen.push(...piece.map(({ body }) => Buffer.from(body).toString()));
      await store.append(batch(size++, record("late")));
    }
    assert.deepEqual(seen, texts);
    const large = Array.from({ length: 6 }, () => record(new Uint8Array(200_000), "large"));
    await store.append(batch(size, ...large));
    let count = 0;
    for await (const piece of store.scan({ session: "large" })) {
      assert.equal(piece.length, 1);
      count += 1;
    }
    assert.equal(count, 6);
  });

  void it("hash tiles are those of the tree", async (t) => {
    const { store } = await engine.create(t);
    const headers: Uint8Array[] = [];
    const check = async (...tiles: readonly (readonly [level: number, index: number])[]): Promise<void> =>
      checkTiles(store, headers, tiles);
    const grow = async (to: number): Promise<void> => {
      while (headers.length < to) {
        const first = headers.length;
        const records = Array.from({ length: Math.min(4096, to - first) }, (_, at) => record(String(first + at)));
        await store.append(batch(first, ...records));
        headers.push(...records.map(({ header }) => header));
      }
    };
    await check([0, 0], [1, 0]);
    for (const size of [1, 255, 256, 257, 511, 513, 1_000]) {
      await grow(size);
      await check([0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [1, 0], [1, 1], [2, 0]);
    }
    await grow(65_535);
    await check([0, 255], [0, 256], [1, 0], [2, 0]);
    await grow(66_000);
    await check([0, 255], [0, 256], [0, 257], [1, 0], [1, 1], [2, 0], [3, 0]);
    for (const [level, index] of [
      [-1, 0],
      [0, -1],
      [6, 0],
      [0.5, 0],
      [0, Number.NaN],
    ] as const)
      assert.equal((await store.tile(level, index)).length, 0);
  });

  void it("appends that do not wait for one another are stored in the order of their calls", async (t) => {
    const { store } = await engine.create(t);
    const texts = Array.from({ length: 40 }, (_, index) => String(index));
    await Promise.all(texts.map((text, index) => store.append(batch(index, record(text)))));
    assert.deepEqual(await bodies(store), texts);
    const outcomes = await Promise.allSettled([
      store.append(batch(41, record("gap"))),
      store.append(batch(40, record("next"))),
    ]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["rejected", "fulfilled"],
    );
  });

  void it("the newest cosigned head is kept, and found by another opening", async (t) => {
    const { store, again } = await engine.create(t);
    assert.equal(await store.cosigned(), null);
    for (const [size, kept] of [
      [3, 3],
      [2, 3],
      [3, 3],
      [2 ** 40, 2 ** 40],
    ] as const) {
      await store.keepCosigned({ size, note: `note of ${size}\n` });
      assert.deepEqual(await store.cosigned(), { size: kept, note: `note of ${kept}\n` });
    }
    await store.keepCosigned({ size: 3, note: "another note of 3\n" });
    assert.equal((await store.cosigned())?.size, 2 ** 40);
    await assert.rejects(store.keepCosigned({ size: 2 ** 41, note: "n".repeat(128 * 1024 + 1) }), {
      code: "AUDIT_RECORD_TOO_LARGE",
    });
    await store.append(batch(0, record("one")));
    assert.equal((await store.head())?.size, 1, "the log's own head is another");
    if (again === null) return;
    const other = await again();
    assert.equal((await other.cosigned())?.size, 2 ** 40);
    await other.close();
  });

  if (engine.shared)
    void it("another opening sees the same log, and the index fences two writers", async (t) => {
      const { store, again } = await engine.create(t);
      assert.ok(again !== null);
      const texts = Array.from({ length: 300 }, (_, index) => String(index));
      await store.append(batch(0, ...texts.map((text) => record(text))));
      const other = await again();
      await other.append(batch(300, record("of the other")));
      await assert.rejects(store.append(batch(300, record("of the first"))), { code: "AUDIT_STORE_MISMATCH" });
      await store.append(batch(301, ...Array.from({ length: 300 }, () => record("more"))));
      await other.append(batch(601, record("last")));
      const headers = (await read(store)).map(({ header }) => header);
      for (const opening of [store, other]) {
        assert.deepEqual((await opening.head())?.size, 602);
        await checkTiles(opening, headers, [
          [0, 0],
          [0, 1],
          [0, 2],
          [1, 0],
        ]);
        await opening.close();
      }
      const later = await again();
      assert.deepEqual(
        (await read(later)).map(({ header }) => header),
        headers,
      );
      await later.append(batch(602, record("after")));
      await later.close();
    });

  void it("a store that is closed says so", async (t) => {
    const { store } = await engine.create(t);
    await store.append(batch(0, record("one")));
    await store.close();
    await assert.rejects(store.append(batch(1, record("two"))), { code: "AUDIT_STORE_UNAVAILABLE" });
    await assert.rejects(store.head(), { code: "AUDIT_STORE_UNAVAILABLE" });
    await assert.rejects(read(store), { code: "AUDIT_STORE_UNAVAILABLE" });
  });
}
