import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonValue } from "@cmcp/boundary";
import { assert as assertProperty, jsonValue, property } from "fast-check";
import { MAX_LEAF_DEPTH, MAX_LEAVES, stringLeaves } from "./leaves.ts";

test("names, strings and numbers come in the document's order, with their paths", () => {
  const { leaves, complete } = stringLeaves({ "a/b": ["x", 4111, null, true], c: { "~": "y" } });
  assert.deepEqual(leaves, [
    { path: "/a~1b", text: "a/b", kind: "name" },
    { path: "/a~1b/0", text: "x", kind: "string" },
    { path: "/a~1b/1", text: "4111", kind: "number" },
    { path: "/c", text: "c", kind: "name" },
    { path: "/c/~0", text: "~", kind: "name" },
    { path: "/c/~0", text: "y", kind: "string" },
  ]);
  assert.equal(complete, true);
});

test("a string is its own leaf", () => {
  assert.deepEqual(stringLeaves("x"), { leaves: [{ path: "", text: "x", kind: "string" }], complete: true });
});

test("more leaves than the limit are left, and said so", () => {
  const { leaves, complete } = stringLeaves(Array<string>(MAX_LEAVES + 1).fill("x"));
  assert.equal(leaves.length, MAX_LEAVES);
  assert.equal(complete, false);
  assert.equal(stringLeaves(Array<string>(MAX_LEAVES).fill("x")).complete, true);
});

test("what lies deeper than the limit is left, and said so", () => {
  let value: JsonValue = ["deep"];
  for (let depth = 1; depth < MAX_LEAF_DEPTH; depth += 1) value = [value];
  assert.deepEqual(stringLeaves(value).leaves.length, 1);
  const { leaves, complete } = stringLeaves([value]);
  assert.equal(leaves.length, 0);
  assert.equal(complete, false);
});

test("every string of a value is a leaf", () => {
  assertProperty(
    property(jsonValue({ maxDepth: 6 }), (value) => {
      const strings: string[] = [];
      JSON.stringify(value, (_, member: unknown) => {
        if (typeof member === "string") strings.push(member);
        return member;
      });
      const found = stringLeaves(value as JsonValue).leaves.filter(({ kind }) => kind === "string");
      assert.deepEqual(found.map(({ text }) => text).sort(), strings.sort());
    }),
  );
});
