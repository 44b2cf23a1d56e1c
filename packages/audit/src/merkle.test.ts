import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { isHash, leafHash, rootFromProof, merkleTree } from "./merkle.ts";

/** Leaves and heads of the reference implementation of Certificate Transparency: the tree over the first n of these. */
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"].map(
  (hex) => Buffer.from(hex, "hex"),
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

const leaves = fc
  .array(fc.uint8Array({ maxLength: 8 }), { minLength: 1, maxLength: 40 })
  .map((all) => all.map(leafHash));

test("heads are those of the published trees", () => {
  for (const [index, root] of ROOTS.entries())
    assert.equal(
      Buffer.from(merkleTree(LEAVES.slice(0, index + 1).map(leafHash)).root, "base64url").toString("hex"),
      root,
    );
});

test("every leaf's path leads to the head, from its own place and under its own number alone", () => {
  fc.assert(
    fc.property(leaves, fc.nat(63), fc.integer({ min: 1, max: 64 }), (hashes, index, size) => {
      const { root, paths } = merkleTree(hashes);
      for (const [at, leaf] of hashes.entries()) {
        const path = paths[at] ?? [];
        assert.ok(path.length <= Math.ceil(Math.log2(hashes.length)));
        assert.deepEqual(rootFromProof(leaf, at, hashes.length, path), root);
        const elsewhere = rootFromProof(leaf, index, hashes.length, path);
        if (index !== at) assert.ok(elsewhere !== root || hashes[index] === leaf);
        for (const other of [[...path, leaf], path.slice(1), path.slice(0, -1)].filter(
          ({ length }) => length !== path.length,
        )) {
          assert.notEqual(rootFromProof(leaf, at, hashes.length, other), root);
        }
        assert.doesNotThrow(() => rootFromProof(leaf, index, size, path));
      }
    }),
  );
});

test("a node is no leaf", () => {
  const [a, b] = LEAVES.slice(0, 2).map(leafHash);
  assert.ok(a !== undefined && b !== undefined);
  const { root } = merkleTree([a, b]);
  const both = Buffer.concat([Buffer.from(a, "base64url"), Buffer.from(b, "base64url")]);
  assert.notEqual(leafHash(both), root);
  assert.notEqual(createHash("sha256").update(both).digest("base64url"), root);
});

test("a hash is written in one way, and nothing else is one", () => {
  const hash = leafHash(new Uint8Array());
  assert.ok(isHash(hash));
  for (const text of [
    "",
    "A".repeat(42),
    "A".repeat(44),
    `${hash}=`,
    `${hash.slice(0, -1)}1`,
    ` ${hash}`,
    `${"A".repeat(42)}/`,
  ])
    assert.ok(!isHash(text), text);
  assert.throws(() => rootFromProof(hash, 0, 2, ["A".repeat(42)]), TypeError);
});
