/** What is left of a record whose body was erased, in every engine. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { checkLog } from "../store/check-log.ts";
import type { ArchivingEngine } from "./archive-suite.ts";
import { batch, read, record } from "./log-records.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** A body that no other record has. */
const secret = (): string => randomBytes(600).toString("base64url");

/** Runs the suite over one engine. */
export function erasureSuite(engine: ArchivingEngine): void {
  const it = (what: string, run: (t: TestContext) => Promise<void>): Promise<void> =>
    test(`${engine.name}: ${what}`, run);

  void it("an erased body is in no segment and no archived file, and every proof stays", async (t) => {
    const folder = join(temporaryDirectory(t), "archive");
    const store = await engine.create(t, folder);
    const bodies = Array.from({ length: 120 }, () => secret());
    for (let first = 0; first < 120; first += 10)
      await store.append(
        batch(first, ...bodies.slice(first, first + 10).map((body) => record(Buffer.from(body), `s${first}`))),
      );
    await store.compact({ keep: 40, records: 40 });
    assert.equal(await store.archive(40), 40);
    const [before, checked] = [await read(store), await checkLog(store)];
    const erased = [5, 6, 45, 119];
    for (const index of erased) assert.equal(await store.erase(index), true, String(index));
    for (const index of erased) assert.equal(await store.erase(index), false, "it is gone already");
    const left = before.map((one) => (erased.includes(one.index) ? { ...one, body: Buffer.alloc(0) } : one));
    assert.deepEqual(await read(store), left);
    assert.deepEqual(await read(store, { session: "s40", from: 44 }), left.slice(44, 50));
    assert.deepEqual(await checkLog(store), checked);
    assert.deepEqual(readdirSync(folder), ["000000000000000-40.zst"]);
    const file = zstdDecompressSync(readFileSync(join(folder, "000000000000000-40.zst")));
    assert.deepEqual([file.includes(bodies[5] ?? ""), file.includes(bodies[7] ?? "")], [false, true]);
    await store.append(batch(120, record("next")));
    await store.compact({ keep: 0, records: 40 });
    assert.equal(await store.archive(121), 120);
    const all = await read(store);
    assert.deepEqual(all.slice(0, 120), left, "archived afterwards");
    await assert.rejects(store.erase(121), { code: "AUDIT_STORE_DAMAGED" });
    await store.close();
  });

  void it("compaction and archiving that began before an erasure do not bring the body back", async (t) => {
    const store = await engine.create(t, join(temporaryDirectory(t), "archive"));
    for (let first = 0; first < 200; first += 10)
      await store.append(batch(first, ...Array.from({ length: 10 }, () => record(randomBytes(16_000)))));
    const compacted = store.compact({ keep: 0, records: 100 });
    const plain = Array.from({ length: 20 }, (_, at) => at * 10);
    for (const index of plain) await store.erase(index);
    await compacted;
    await store.compact({ keep: 0, records: 100 });
    const archived = store.archive(200);
    const packed = plain.map((index) => index + 1);
    for (const index of packed) await store.erase(index);
    await archived;
    await store.archive(200);
    for (const { index, body } of await read(store))
      assert.equal(body.length === 0, plain.includes(index) || packed.includes(index), String(index));
    await store.close();
  });

  void it("an erasure that ended before the archive let go of the old file is ended by the next one", async (t) => {
    const folder = join(temporaryDirectory(t), "archive");
    const store = await engine.create(t, folder);
    await store.append(batch(0, record(Buffer.from(secret())), record("stays")));
    await store.compact({ keep: 0, records: 2 });
    await store.archive(2);
    const file = join(folder, "000000000000000-2.zst");
    const old = readFileSync(file);
    await store.erase(0);
    const fresh = readFileSync(file);
    writeFileSync(`${file}.next`, fresh);
    writeFileSync(file, old);
    const bodies = async (): Promise<string[]> => (await read(store)).map(({ body }) => Buffer.from(body).toString());
    assert.deepEqual(await bodies(), ["", "stays"]);
    assert.equal(await store.erase(0), false);
    assert.deepEqual([readdirSync(folder), readFileSync(file)], [["000000000000000-2.zst"], fresh]);
    assert.deepEqual(await bodies(), ["", "stays"]);
    writeFileSync(file, old);
    await assert.rejects(read(store), { code: "AUDIT_STORE_DAMAGED" });
    await store.close();
  });
}
