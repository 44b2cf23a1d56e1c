import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { MAX_LOG_SIZE, siblingSides } from "./path.ts";
import { naivePath, naiveRoot, someLeaves } from "./testing/naive-tree.ts";
import { appendLeaves, EMPTY_RANGE, leafHash, nodeHash, rangeFromHashes, rootOf, type CompactRange } from "./tree.ts";

/** Leaves and heads of the reference implementation of Certificate Transparency: the tree over the first n of these. */
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"].map(
  (hex) => fromHex(hex) ?? assert.fail(),
);
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

test("heads are those of the published trees, in every way to cut the appends", () => {
  for (const [index, root] of ROOTS.entries()) {
    const leaves = LEAVES.slice(0, index + 1).map(leafHash);
    for (let cut = 0; cut <= leaves.length; cut += 1) {
      const { range } = appendLeaves(EMPTY_RANGE, leaves.slice(0, cut));
      const grown = appendLeaves(range, leaves.slice(cut));
      assert.equal(toHex(grown.root), root);
      assert.equal(toHex(rootOf(grown.range)), root);
    }
  }
  assert.equal(toHex(rootOf(EMPTY_RANGE)), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

test("ranges, heads and paths of appends are those of the tree as the RFC writes it", () => {
  const batches = fc.array(fc.nat({ max: 20 }), { maxLength: 8 });
  fc.assert(
    fc.property(batches, (sizes) => {
      const leaves = someLeaves(sizes.reduce((sum, size) => sum + size, 0));
      let range: CompactRange = EMPTY_RANGE;
      for (const size of sizes) {
        const first = range.size;
        const grown = appendLeaves(range, leaves.slice(first, first + size));
        const all = leaves.slice(0, first + size);
        assert.deepEqual(grown.root, naiveRoot(all));
        assert.deepEqual(rootOf(grown.range), grown.root);
        assert.deepEqual(
          grown.paths,
          all.slice(first).map((_, at) => naivePath(first + at, all)),
        );
        assert.deepEqual(rangeFromHashes(grown.range.size, grown.range.hashes), grown.range);
        range = grown.range;
      }
    }),
  );
});

test("a log of more leaves than a 32-bit number counts goes on, up to the largest", () => {
  const hash = leafHash(new Uint8Array());
  for (const size of [2 ** 31 - 1, 2 ** 32 + 5, 2 ** 40 - 1, MAX_LOG_SIZE - 3]) {
    const bits = size.toString(2).replaceAll("0", "").length;
    const range = rangeFromHashes(
      size,
      Array.from({ length: bits }, () => hash),
    );
    const { range: grown, root, paths } = appendLeaves(range, [hash, hash, hash]);
    assert.equal(grown.size, size + 3);
    assert.deepEqual(rootOf(rangeFromHashes(grown.size, grown.hashes)), root);
    for (const [at, path] of paths.entries()) {
      const sides = siblingSides(size + at, size + 3, path.length) ?? assert.fail();
      const led = sides.reduce((node, side, height) => {
        const sibling = path[height] ?? assert.fail();
        return side === "left" ? nodeHash(sibling, node) : nodeHash(node, sibling);
      }, hash);
      assert.deepEqual(led, root);
    }
  }
  const full = rangeFromHashes(MAX_LOG_SIZE, [hash]);
  assert.throws(() => appendLeaves(full, [hash]), { code: "LOG_TREE_INVALID" });
});

test("hashes of another number, or another length, are no compact range", () => {
  const hash = leafHash(new Uint8Array());
  for (const [size, hashes] of [
    [0, [hash]],
    [1, []],
    [2, [hash, hash]],
    [3, [hash]],
    [1, [hash.subarray(1)]],
    [1, [new Uint8Array(33)]],
    [-1, [hash]],
    [1.5, [hash]],
    [Number.NaN, []],
    [2 ** 49, [hash]],
  ] as const)
    assert.throws(() => rangeFromHashes(size, hashes), { code: "LOG_TREE_INVALID" }, String(size));
});

test("a range that lacks a hash is refused when it grows", () => {
  assert.throws(() => appendLeaves({ size: 3, hashes: [] }, [leafHash(new Uint8Array())]), {
    code: "LOG_TREE_INVALID",
  });
});
