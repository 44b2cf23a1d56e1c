import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MAX_LOG_SIZE } from "./path.ts";
import { bodiesPath, entriesPath, hashInTile, parseTilePath, tileAt, tilePath, tilesOf, type Tile } from "./tile.ts";

const written = (tiles: Iterable<Tile>): string[] => Array.from(tiles, tilePath);

test("the tiles of the specification's two logs", () => {
  const tiles = [...tilesOf(70_000)];
  assert.equal(tiles.filter(({ level, width }) => level === 0 && width === 256).length, 273);
  assert.deepEqual(written(tiles.filter(({ level, width }) => level > 0 || width < 256)), [
    "tile/0/273.p/112",
    "tile/1/000",
    "tile/1/001.p/17",
    "tile/2/000.p/1",
  ]);
  assert.deepEqual(written(tilesOf(256)), ["tile/0/000", "tile/1/000.p/1"]);
  assert.deepEqual(written(tilesOf(0)), []);
});

test("an index is written in groups of three digits", () => {
  assert.equal(tilePath({ level: 0, index: 1_234_067, width: 256 }), "tile/0/x001/x234/067");
  assert.equal(tilePath({ level: 2, index: 5, width: 7 }), "tile/2/005.p/7");
  assert.equal(tilePath({ level: 0, index: 1000, width: 1 }), "tile/0/x001/000.p/1");
  assert.equal(entriesPath({ level: 0, index: 999, width: 256 }), "tile/entries/999");
  assert.equal(entriesPath({ level: 0, index: 123_456, width: 9 }), "tile/entries/x123/456.p/9");
  assert.equal(bodiesPath({ level: 0, index: 1234, width: 256 }), "bodies/x001/234.jsonl");
  assert.equal(bodiesPath({ level: 0, index: 0, width: 9 }), "bodies/000.p/9.jsonl");
});

test("the tiles since an older size are those that changed", () => {
  fc.assert(
    fc.property(fc.nat(200_000), fc.nat(70_000), (older, more) => {
      const before = new Set(written(tilesOf(older)));
      const changed = written(tilesOf(older + more)).filter((path) => !before.has(path));
      assert.deepEqual(written(tilesOf(older + more, older)), changed);
    }),
    { numRuns: 50 },
  );
});

test("a path names the tile that it is written for", () => {
  const size = fc.integer({ min: 1, max: MAX_LOG_SIZE });
  fc.assert(
    fc.property(size, fc.nat(6), fc.double({ min: 0, max: 1, noNaN: true }), (leaves, level, place) => {
      const last = Math.floor(Math.floor(leaves / 256 ** level) / 256);
      const tile = tileAt(level, Math.floor(place * last), leaves);
      if (tile !== undefined) assert.deepEqual(parseTilePath(tilePath(tile)), tile);
      assert.equal(tileAt(level, last + 1, leaves), undefined);
    }),
  );
});

test("another path names none", () => {
  for (const path of [
    "",
    "tile/0/0",
    "tile/0/00",
    "tile/0/0000",
    "tile/00/000",
    "tile/7/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/x000/001",
    "tile/0/001/002",
    "tile/0/x001/x002",
    "tile/0/001.p/0",
    "tile/0/001.p/256",
    "tile/0/001.p/01",
    "tile/0/001.p/",
    "tile/0/001.p",
    "tile/0/001/",
    "/tile/0/001",
    "tile/0/../001",
    "tile/entries/000",
    "tile/0/000\n",
    "tile/6/000.p/2",
    "tile/0/x999/x999/x999/x999/x999/999",
    `tile/0/${"x001/".repeat(1000)}001`,
  ])
    assert.equal(parseTilePath(path), undefined, path);
  assert.deepEqual(parseTilePath("tile/6/000.p/1"), { level: 6, index: 0, width: 1 });
  assert.deepEqual(parseTilePath("tile/0/x001/x099/x511/x627/775"), { level: 0, index: 2 ** 40 - 1, width: 256 });
  assert.equal(parseTilePath("tile/0/x001/x099/x511/x627/776"), undefined);
});

test("a hash is whole, or not there", () => {
  const bytes = Uint8Array.from({ length: 70 }, (_, at) => at);
  assert.deepEqual(hashInTile(bytes, 1), bytes.slice(32, 64));
  assert.equal(hashInTile(bytes, 2), undefined);
  assert.equal(hashInTile(bytes, 3), undefined);
});
