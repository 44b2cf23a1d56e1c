import assert from "node:assert/strict";
import { test } from "node:test";
import { treeSignatureSchema, treeSigningInput } from "./tree-signature.ts";

const HASH = "A".repeat(43);
const accepted = (change: object): boolean =>
  treeSignatureSchema.safeParse({ index: 0, path: [], size: 1, value: "A".repeat(86), ...change }).success;
const path = (length: number): string[] => Array.from({ length }, () => HASH);

test("a signature is for 256 statements at most, and no path is longer than one of theirs", () => {
  assert.deepEqual([accepted({ size: 256 }), accepted({ size: 257 }), accepted({ size: 0 })], [true, false, false]);
  assert.deepEqual([accepted({ path: path(8) }), accepted({ path: path(9) })], [true, false]);
  assert.deepEqual([accepted({ index: 255 }), accepted({ index: -1 })], [true, false]);
  assert.deepEqual([accepted({ value: "A".repeat(128) }), accepted({ value: "A".repeat(129) })], [true, false]);
  assert.ok(!accepted({ path: ["A".repeat(42)] }));
  assert.ok(!accepted({ other: 1 }));
});

test("what is signed begins with the form's name and their number", () => {
  assert.deepEqual(
    Buffer.from(treeSigningInput(258, new Uint8Array(32).fill(7))),
    Buffer.concat([Buffer.from("cmcp-tree-v1|"), Buffer.from([0, 0, 1, 2]), Buffer.alloc(32, 7)]),
  );
});
