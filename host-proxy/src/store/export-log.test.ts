import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { decodeEntries, entriesPath, bodiesPath, parseTilePath, tileAt, tilePath, tilesOf } from "@cmcp/log/format";
import { batch, read, record, treeHash } from "../testing/log-records.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { exportLog } from "./export-log.ts";
import type { Batch, ScanFilter } from "./log-store.ts";
import { SqliteStore } from "./sqlite/sqlite-store.ts";

const DAMAGED = { code: "AUDIT_STORE_DAMAGED" };
const LINE = "— key AAAAAAA=\n";

/** A store with as many records, in batches of several sizes, whose newest note names their root. */
async function storeOf(t: TestContext, size: number, archive?: string): Promise<SqliteStore> {
  const store = new SqliteStore(null, { durable: false, ...(archive === undefined ? {} : { archive }) });
  t.after(async () => store.close());
  const headers: Uint8Array[] = [];
  for (let first = 0; first < size; first = headers.length) {
    const records = Array.from({ length: Math.min(1 + (first % 70), size - first) }, (_, at) =>
      record(`${first + at}`),
    );
    headers.push(...records.map(({ header }) => header));
    await store.append(noted(batch(first, ...records), headers));
  }
  return store;
}

function noted(one: Batch, headers: readonly Uint8Array[]): Batch {
  return { ...one, note: `log.example/1\n${headers.length}\n${treeHash(headers).toString("base64")}\n\n${LINE}` };
}

/** Every file below a folder, by its path there. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

for (const size of [1, 255, 256, 257, 700])
  test(`a log of ${size} records is exported as its tiles, entries, bodies and checkpoint`, async (t) => {
    const store = await storeOf(t, size);
    const folder = join(temporaryDirectory(t), "log");
    const records = await read(store);
    const root = treeHash(records.map(({ header }) => header));
    assert.deepEqual(await exportLog(store, folder, { archived: true }), {
      origin: "log.example/1",
      size,
      root: new Uint8Array(root),
      withoutBodies: 0,
      cosigned: false,
      newer: 0,
    });
    const expected = ["checkpoint"];
    for (const tile of tilesOf(size)) {
      expected.push(tilePath(tile));
      const bytes = readFileSync(join(folder, tilePath(tile)));
      assert.deepEqual(bytes, Buffer.from((await store.tile(tile.level, tile.index)).subarray(0, 32 * tile.width)));
      if (tile.level > 0) continue;
      expected.push(entriesPath(tile), bodiesPath(tile));
      const there = records.slice(tile.index * 256, tile.index * 256 + tile.width);
      const leaves = decodeEntries(readFileSync(join(folder, entriesPath(tile))), tile.width);
      assert.deepEqual(
        leaves.map((leaf) => Buffer.from(leaf)),
        there.map(({ header }) => header),
      );
      const lines = readFileSync(join(folder, bodiesPath(tile)), "utf8");
      assert.equal(lines, there.map(({ body }) => `${Buffer.from(body).toString()}\n`).join(""));
    }
    assert.deepEqual(filesIn(folder), expected.toSorted());
    assert.equal(readFileSync(join(folder, "checkpoint"), "utf8"), (await store.head())?.note);
    for (const [path, mode] of [
      ["", 0o700],
      ["tile/0", 0o700],
      ["checkpoint", 0o600],
      ["bodies", 0o700],
    ] as const)
      assert.equal(statSync(join(folder, path)).mode & 0o777, mode, path);
  });

test("an export ends with the newest cosigned head, and with the newest record where that is asked for", async (t) => {
  const temporary = temporaryDirectory(t);
  const store = await storeOf(t, 700);
  const headers = (await read(store)).map(({ header }) => header);
  for (const size of [1, 255, 256, 257, 300]) {
    const { note } = noted(batch(0), headers.slice(0, size));
    await store.keepCosigned({ size, note: note + LINE });
    const folder = join(temporary, String(size));
    const exported = await exportLog(store, folder, { archived: true });
    assert.deepEqual(exported, {
      origin: "log.example/1",
      size,
      root: new Uint8Array(treeHash(headers.slice(0, size))),
      withoutBodies: 0,
      cosigned: true,
      newer: 700 - size,
    });
    assert.equal(readFileSync(join(folder, "checkpoint"), "utf8"), note + LINE);
    const expected = tilesOf(size).flatMap((tile) =>
      tile.level > 0 ? [tilePath(tile)] : [tilePath(tile), entriesPath(tile), bodiesPath(tile)],
    );
    assert.deepEqual(filesIn(folder), ["checkpoint", ...expected].toSorted());
  }
  const { size, cosigned, newer } = await exportLog(store, join(temporary, "newest"), {
    archived: true,
    newest: true,
  });
  assert.deepEqual([size, cosigned, newer], [700, false, 0]);
  assert.equal(readFileSync(join(temporary, "newest/checkpoint"), "utf8"), (await store.head())?.note);
});

test("no export is made of a store that is shorter than its cosigned head, or has another root there", async (t) => {
  const temporary = temporaryDirectory(t);
  const store = await storeOf(t, 3);
  const headers = (await read(store)).map(({ header }) => header);
  await store.keepCosigned({ size: 2, note: noted(batch(0), [record("other").header, record("1").header]).note });
  await assert.rejects(exportLog(store, join(temporary, "root"), { archived: true }), DAMAGED);
  await store.keepCosigned({ size: 4, note: noted(batch(0), [...headers, record("3").header]).note });
  await assert.rejects(exportLog(store, join(temporary, "short"), { archived: true }), {
    ...DAMAGED,
    message: /fewer records than witnesses cosigned$/,
  });
  for (const folder of ["root", "short"]) assert.ok(!existsSync(join(temporary, folder, "checkpoint")));
});

test("archived bodies are exported from their files, or left out", async (t) => {
  const temporary = temporaryDirectory(t);
  const archive = join(temporary, "archive");
  const store = await storeOf(t, 700, archive);
  await store.compact({ keep: 100, records: 100 });
  const archived = await store.archive(400);
  assert.ok(archived > 256 && archived < 400);
  assert.equal(await store.archivedBefore(), archived);
  await exportLog(store, join(temporary, "whole"), { archived: true });
  rmSync(archive, { recursive: true });
  await assert.rejects(exportLog(store, join(temporary, "broken"), { archived: true }), {
    code: "AUDIT_STORE_UNAVAILABLE",
  });
  assert.ok(!existsSync(join(temporary, "broken/checkpoint")), "what is not complete has no checkpoint");
  const { withoutBodies } = await exportLog(store, join(temporary, "less"), { archived: false });
  assert.equal(withoutBodies, archived);
  for (const path of filesIn(join(temporary, "whole"))) {
    const [whole, less] = ["whole", "less"].map((name) => readFileSync(join(temporary, name, path), "utf8"));
    if (!path.startsWith("bodies/")) assert.equal(less, whole, path);
    const tile = tileAt(0, Number(/bodies\/(\d+)/.exec(path)?.[1] ?? "0"), 700);
    if (path.startsWith("bodies/") && tile !== undefined)
      assert.equal(
        less,
        whole?.replace(/.+/g, (line) => (Number(line) < archived ? "" : line)),
        path,
      );
  }
});

test("no export is made of an empty log, of other records than the note's, or over another", async (t) => {
  const temporary = temporaryDirectory(t);
  const empty = new SqliteStore(null, { durable: false });
  t.after(async () => empty.close());
  await assert.rejects(exportLog(empty, join(temporary, "empty"), { archived: true }), DAMAGED);
  const store = await storeOf(t, 2);
  const one = record("2");
  const headers = [...(await read(store)).map(({ header }) => header), one.header];
  await store.append(noted(batch(2, record("another")), headers));
  await assert.rejects(exportLog(store, join(temporary, "other"), { archived: true }), {
    ...DAMAGED,
    message: /other records than those of its note$/,
  });
  assert.ok(!existsSync(join(temporary, "other/checkpoint")));
  const good = await storeOf(t, 2);
  await assert.rejects(exportLog(good, temporary, { archived: true }), { code: "EEXIST" });
});

test("a note of another size, and a body of more than one line, are refused", async (t) => {
  const temporary = temporaryDirectory(t);
  const store = new SqliteStore(null, { durable: false });
  t.after(async () => store.close());
  const lines = record("a\nb");
  await store.append(noted(batch(0, lines), [lines.header, lines.header]));
  await assert.rejects(exportLog(store, join(temporary, "size"), { archived: true }), {
    ...DAMAGED,
    message: /a note of another size than the log$/,
  });
  const other = new SqliteStore(null, { durable: false });
  t.after(async () => other.close());
  await other.append(noted(batch(0, lines), [lines.header]));
  await assert.rejects(exportLog(other, join(temporary, "lines"), { archived: true }), {
    ...DAMAGED,
    message: /a body of more than one line at 0$/,
  });
});

test("a scan with a gap, or that ends early, is refused at its place", async (t) => {
  const store = await storeOf(t, 300);
  for (const [left, at] of [
    [70, 70],
    [299, 299],
  ] as const) {
    const gapped = Object.assign(Object.create(store) as SqliteStore, {
      head: async () => store.head(),
      cosigned: async () => Promise.resolve(null),
      archivedBefore: async () => Promise.resolve(0),
      scan: async function* (filter: ScanFilter) {
        for await (const piece of store.scan(filter)) yield piece.filter(({ index }) => index !== left);
      },
    });
    await assert.rejects(exportLog(gapped, join(temporaryDirectory(t), "log"), { archived: true }), {
      ...DAMAGED,
      message: new RegExp(`no record at ${at}$`),
    });
  }
});

test("what an export writes are paths that name tiles", async (t) => {
  const folder = join(temporaryDirectory(t), "log");
  await exportLog(await storeOf(t, 300), folder, { archived: true });
  for (const path of filesIn(folder).filter((name) => /^tile\/\d/.test(name)))
    assert.notEqual(parseTilePath(path), undefined, path);
});
