import assert from "node:assert/strict";
import { test } from "node:test";
import { leafHash } from "@cmcp/log";
import { tileRoot, TileTail } from "./hash-tiles.ts";

test("a tail has as many hashes as its size asks for", () => {
  const hash = leafHash(Buffer.from("leaf"));
  assert.equal(new TileTail(257, [[hash], [hash]]).size, 257);
  for (const [size, levels] of [
    [1, []],
    [0, [[hash]]],
    [256, [[]]],
    [257, [[hash], []]],
    [65_536, [[], []]],
  ] as const)
    assert.throws(() => new TileTail(size, levels), { code: "AUDIT_STORE_DAMAGED" });
});

test("only a complete tile has a root", () => {
  assert.equal(tileRoot(new Uint8Array(8192)).length, 32);
  for (const length of [0, 32, 8160, 8224])
    assert.throws(() => tileRoot(new Uint8Array(length)), { code: "AUDIT_STORE_DAMAGED" });
});
