import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesEqual, fromHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { isConsistent, Prover, rootFromPath, type TreeHead } from "./proof.ts";
import { tileBytes } from "./testing/memory-tiles.ts";
import { naiveConsistency, naivePath, naiveRoot, someLeaves } from "./testing/naive-tree.ts";
import type { Tile } from "./tile.ts";
import { leafHash, sha256 } from "./tree.ts";

const LEAVES = someLeaves(600);
const headOf = (size: number): TreeHead => ({ size, root: naiveRoot(LEAVES.slice(0, size)) });
const proverOf = (size: number): Prover => new Prover(size, async (tile) => tileBytes(LEAVES, tile), sha256);

/** Sizes around every boundary of tiles, and others. */
const sizes = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 250, max: 260 }),
  fc.integer({ min: 1, max: 600 }),
);

test("inclusion paths are those of the RFC, lead to the head, and to no other", async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, of, other) => {
      const index = of % size;
      const { root } = headOf(size);
      const path = await proverOf(size).inclusion(index);
      assert.deepEqual(path, naivePath(index, LEAVES.slice(0, size)));
      const leaf = LEAVES[index] ?? assert.fail();
      assert.deepEqual(await rootFromPath(leaf, { index, size, path }, sha256), root);
      const elsewhere = await rootFromPath(leaf, { index: other % size, size, path }, sha256);
      assert.ok(other % size === index || elsewhere === undefined || !bytesEqual(elsewhere, root));
      for (const wrong of [[...path, leaf], path.slice(1), path.slice(0, -1)].filter(
        ({ length }) => length !== path.length,
      ))
        assert.equal(await rootFromPath(leaf, { index, size, path: wrong }, sha256), undefined);
    }),
    { numRuns: 60 },
  );
});

test("consistency proofs are those of the RFC and hold, and no changed one does", async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, of, change) => {
      const older = of % (size + 1);
      const proof = await proverOf(size).consistency(older);
      assert.deepEqual(proof, older === 0 ? [] : naiveConsistency(older, LEAVES.slice(0, size)));
      assert.ok(await isConsistent(headOf(older), headOf(size), proof, sha256));
      const changed = { size, root: LEAVES[0] ?? assert.fail() };
      if (older > 0 && size > 1) assert.ok(!(await isConsistent(headOf(older), changed, proof, sha256)));
      if (older > 1) assert.ok(!(await isConsistent({ ...changed, size: older }, headOf(size), proof, sha256)));
      const extra = LEAVES[1] ?? assert.fail();
      assert.ok(!(await isConsistent(headOf(older), headOf(size), [...proof, extra], sha256)));
      if (proof.length === 0) return;
      const place = change % proof.length;
      assert.ok(!(await isConsistent(headOf(older), headOf(size), proof.toSpliced(place, 1), sha256)));
      assert.ok(
        !(await isConsistent(headOf(older), headOf(size), proof.with(place, extra), sha256)) ||
          bytesEqual(proof[place] ?? extra, extra),
      );
    }),
    { numRuns: 60 },
  );
});

test("the root hash follows from tiles", async () => {
  for (const size of [0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 600])
    assert.deepEqual(await proverOf(size).root(), headOf(size).root, String(size));
});

test("a log that shrank, or changed at the same size, is not consistent", async () => {
  const [one, two] = [headOf(1), headOf(2)];
  assert.ok(!(await isConsistent(two, one, [], sha256)));
  assert.ok(!(await isConsistent(two, { size: 1, root: two.root }, [], sha256)), "nor with the older root hash");
  assert.ok(!(await isConsistent(one, { size: 1, root: two.root }, [], sha256)));
  assert.ok(await isConsistent(one, one, [], sha256));
  assert.ok(!(await isConsistent(one, one, [one.root], sha256)));
  assert.ok(!(await isConsistent({ size: 0, root: one.root }, one, [], sha256)), "the empty tree has one root hash");
});

test("hashes of another length, and sizes that cannot be, prove nothing", async () => {
  const long = new Uint8Array(33);
  assert.equal(await rootFromPath(leafHash(long), { index: 0, size: 2, path: [long] }, sha256), undefined);
  assert.equal(await rootFromPath(long, { index: 0, size: 1, path: [] }, sha256), undefined);
  const head = headOf(2);
  assert.ok(!(await isConsistent({ size: 2, root: long }, { size: 2, root: long }, [], sha256)));
  for (const size of [-1, 1.5, Number.NaN, 2 ** 49])
    assert.ok(!(await isConsistent({ ...head, size }, { ...head, size }, [], sha256)), String(size));
  const [left, right] = [headOf(3), headOf(4)];
  const joined = [new Uint8Array(16), new Uint8Array(48)];
  assert.ok(!(await isConsistent(left, right, joined, sha256)));
});

/** Inclusion and consistency of the reference implementation of Certificate Transparency, over its eight leaves. */
test("the published proofs hold", async () => {
  const bytes = (hex: string): Uint8Array => fromHex(hex) ?? assert.fail();
  const leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
  const hashes = leaves.map((hex) => leafHash(bytes(hex)));
  const prover = new Prover(8, async (tile) => tileBytes(hashes, tile), sha256);
  const inclusion = [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ].map(bytes);
  assert.deepEqual(await prover.inclusion(5), inclusion);
  const consistency = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ].map(bytes);
  assert.deepEqual(await prover.consistency(6), consistency);
});

test("a proof is of leaves and sizes that the log has", async () => {
  const prover = proverOf(5);
  for (const index of [-1, 5, 0.5, Number.NaN])
    await assert.rejects(prover.inclusion(index), { code: "LOG_TREE_INVALID" }, String(index));
  for (const older of [-1, 6, 0.5, Number.NaN])
    await assert.rejects(prover.consistency(older), { code: "LOG_TREE_INVALID" }, String(older));
});

test("a tile that is too short is refused, and one that is wider serves", async () => {
  const short = new Prover(300, async (tile) => tileBytes(LEAVES, tile).subarray(0, 32 * tile.width - 1), sha256);
  await assert.rejects(short.inclusion(0), { code: "LOG_TREE_INVALID" });
  const wider = new Prover(
    300,
    async (tile) => tileBytes(LEAVES, { ...tile, width: tile.level === 0 ? 256 : 1 }),
    sha256,
  );
  assert.deepEqual(await wider.inclusion(7), naivePath(7, LEAVES.slice(0, 300)));
});

test("each tile is read once, of the width that the size has", async () => {
  const read: Tile[] = [];
  const prover = new Prover(
    600,
    async (tile) => {
      read.push(tile);
      return tileBytes(LEAVES, tile);
    },
    sha256,
  );
  await Promise.all([prover.inclusion(3), prover.consistency(599), prover.root()]);
  assert.deepEqual(read.map(({ level, index, width }) => `${level}/${index}/${width}`).toSorted(), [
    "0/0/256",
    "0/2/88",
    "1/0/2",
  ]);
});

test("proofs of the largest log read few tiles", async () => {
  const hash = leafHash(new Uint8Array());
  let reads = 0;
  const prover = new Prover(
    2 ** 48 - 1,
    async ({ width }) => {
      reads += 1;
      const bytes = new Uint8Array(32 * width);
      for (let at = 0; at < width; at += 1) bytes.set(hash, 32 * at);
      return bytes;
    },
    sha256,
  );
  const path = await prover.inclusion(2 ** 47 + 12_345);
  assert.equal(path.length, 48);
  assert.ok(reads <= 12, String(reads));
  const size = 2 ** 48 - 1;
  assert.ok((await rootFromPath(hash, { index: 2 ** 47 + 12_345, size, path }, sha256)) !== undefined);
});

test("a tile that could not be read is read again", async () => {
  let reads = 0;
  const prover = new Prover(
    5,
    async (tile) => {
      reads += 1;
      if (reads === 1) throw new Error("the disk is busy");
      return tileBytes(LEAVES, tile);
    },
    sha256,
  );
  await assert.rejects(prover.inclusion(0), /busy/);
  assert.deepEqual(await prover.inclusion(0), naivePath(0, LEAVES.slice(0, 5)));
});
