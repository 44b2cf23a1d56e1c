/** What archiving keeps, and what it moves, in every engine. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import type { ArchivingStore } from "../store/archive.ts";
import { checkLog } from "../store/check-log.ts";
import type { CompactingStore } from "../store/compaction.ts";
import { batch, read, record, treeHash } from "./log-records.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** One engine, as the suite opens it. */
export interface ArchivingEngine {
  readonly name: string;
  /** An empty store, closed by the suite, with an archive or without one. */
  create(test: TestContext, archive?: string): Promise<CompactingStore & ArchivingStore>;
}

const UNAVAILABLE = { code: "AUDIT_STORE_UNAVAILABLE" };

/** Runs the suite over one engine. */
export function archiveSuite(engine: ArchivingEngine): void {
  const create: ArchivingEngine["create"] = async (t, archive) => engine.create(t, archive);
  const it = (what: string, run: (t: TestContext) => Promise<void>): Promise<void> =>
    test(`${engine.name}: ${what}`, run);

  void it("archived bodies are in files, and all else is where it was", async (t) => {
    const folder = join(temporaryDirectory(t), "archive");
    const store = await create(t, folder);
    for (let first = 0; first < 600; first += 10)
      await store.append(batch(first, ...Array.from({ length: 10 }, (_, at) => record(`${first + at}`, `s${at % 3}`))));
    await store.compact({ keep: 50, records: 50 });
    const [records, checked] = [await read(store), await checkLog(store)];
    assert.equal(await store.archive(275), 250);
    assert.equal(await store.archive(320), 300);
    assert.equal(await store.archive(600), 550, "what is not compacted stays");
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    const files = readdirSync(folder).sort();
    assert.equal(files.length, 11);
    assert.deepEqual([files[0], files[10]], ["000000000000000-50.zst", "000000000000500-50.zst"]);
    const file = join(folder, files[1] ?? "");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(zstdDecompressSync(readFileSync(file)).includes('{"of":"77"}'), "zstd -d gives the records");
    assert.deepEqual(await read(store), records);
    const expected = records.filter((one) => one.session === "s2" && one.index >= 120 && one.index < 580);
    assert.deepEqual(await read(store, { session: "s2", from: 120, to: 580 }), expected);

    writeFileSync(file, readFileSync(join(folder, files[2] ?? "")));
    await assert.rejects(read(store), { code: "AUDIT_STORE_DAMAGED" });
    rmSync(folder, { recursive: true });
    await assert.rejects(read(store), { ...UNAVAILABLE, message: /the file 000000000000000-50\.zst of the archive/ });
    const headers = await read(store, { bodies: false });
    assert.deepEqual(
      headers,
      records.map((one) => ({ ...one, body: Buffer.alloc(0) })),
    );
    assert.deepEqual(await checkLog(store), checked, "every proof stays");
    assert.deepEqual(await read(store, { from: 550 }), records.slice(550));
    await store.append(batch(600, record("next")));
    await store.close();
  });

  void it("without an archive bodies stay in the store", async (t) => {
    const store = await create(t);
    await store.append(batch(0, record("one")));
    await assert.rejects(store.archive(1), UNAVAILABLE);
    await store.close();
  });

  void it("a check derives the tree, and says whether the note is of it", async (t) => {
    const store = await create(t);
    assert.equal(await checkLog(store), null);
    const headers: Uint8Array[] = [];
    for (const count of [1, 2, 254, 700]) {
      const first = headers.length;
      const records = Array.from({ length: count }, (_, at) => record(String(first + at)));
      headers.push(...records.map(({ header }) => header));
      const root = treeHash(headers);
      const note = `log.example/1\n${headers.length}\n${root.toString("base64")}\n\n— key signature\n`;
      await store.append({ ...batch(first, ...records), note });
      assert.deepEqual(await checkLog(store), { size: headers.length, root: new Uint8Array(root), noted: true });
    }
    await store.append(batch(headers.length, record("noted otherwise")));
    assert.equal((await checkLog(store))?.noted, false);
    await store.close();
  });
}
