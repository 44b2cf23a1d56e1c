/** What every engine of a log store holds to. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import type { CompactingStore } from "../store/compaction.ts";
import type { Batch, IndexedRecord, LogStore, ScanFilter, StoredRecord } from "../store/log-store.ts";

/** One engine, as the suite opens it. */
export interface StoreEngine {
  readonly name: string;
  /** Runs of the property, each with a store of its own. */
  readonly runs: number;
  /** Whether a second opening sees the same log. */
  readonly shared: boolean;
  /** An empty store. `again` opens it once more, beside the first or after it; `null` where none is shared. */
  create(
    test: TestContext,
  ): Promise<{ readonly store: CompactingStore; readonly again: (() => Promise<CompactingStore>) | null }>;
}

export const record = (body: string | Uint8Array, session = "s", kind = "entry"): StoredRecord => ({
  session,
  kind,
  header: Buffer.from(`{"of":${JSON.stringify(typeof body === "string" ? body : body.length)}}`),
  body: typeof body === "string" ? Buffer.from(body) : body,
});

export const batch = (first: number, ...records: StoredRecord[]): Batch => ({
  first,
  note: `log.example/1\n${first + records.length}\n`,
  records,
});

export async function read(store: LogStore, filter: ScanFilter = {}): Promise<readonly IndexedRecord[]> {
  const records: IndexedRecord[] = [];
  for await (const piece of store.scan(filter)) records.push(...piece.map((one) => plain(one)));
  return records;
}

const plain = ({ index, ...one }: IndexedRecord): IndexedRecord => ({ index, ...copied(one) });
const copied = ({ session, kind, header, body }: StoredRecord): StoredRecord => ({
  session,
  kind,
  header: Buffer.from(header),
  body: Buffer.from(body),
});
const bodies = async (store: LogStore, filter: ScanFilter = {}): Promise<string[]> =>
  (await read(store, filter)).map(({ body }) => Buffer.from(body).toString());

/** MTH of RFC 9162, section 2.1.1, by its recursive definition. */
function treeHash(leaves: readonly Uint8Array[]): Buffer {
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return sha256(Buffer.of(0), only);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Buffer.of(1), treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash("sha256").update(Buffer.concat(parts)).digest();
}

/** The hashes that the tile has, by their definition: each the root over 256^level leaves. */
function expectedTile(headers: readonly Uint8Array[], level: number, index: number): Buffer {
  const span = 256 ** level;
  const roots: Buffer[] = [];
  for (let at = index * 256; at < (index + 1) * 256 && (at + 1) * span <= headers.length; at += 1)
    roots.push(treeHash(headers.slice(at * span, (at + 1) * span)));
  return Buffer.concat(roots);
}

/** Compares tiles with those of the tree over the headers. */
async function checkTiles(
  store: LogStore,
  headers: readonly Uint8Array[],
  tiles: readonly (readonly [level: number, index: number])[],
): Promise<void> {
  for (const [level, index] of tiles) {
    const tile = Buffer.from(await store.tile(level, index));
    assert.ok(tile.equals(expectedTile(headers, level, index)), `tile ${level}/${index} of ${headers.length}`);
  }
}

/** Runs the suite over one engine. */
export function storeSuite(engine: StoreEngine): void {
  const it = (what: string, run: (t: TestContext) => Promise<void>): Promise<void> =>
    test(`${engine.name}: ${what}`, run);

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
        for (const name of ["intent", "entry", "claim", "snapshot"])
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
