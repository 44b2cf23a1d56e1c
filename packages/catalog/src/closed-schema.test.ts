import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { closedSchema, onlyCloses } from "./closed-schema.ts";

const closed = { additionalProperties: false };
const A = { type: "object", properties: { a: { type: "number" } } };

const CASES: readonly { readonly what: string; readonly open: JsonObject; readonly shut: JsonObject }[] = [
  {
    what: "an object and those in it",
    open: { ...A, properties: { in: A, list: { type: "array", items: A } } },
    shut: {
      ...A,
      properties: { in: { ...A, ...closed }, list: { type: "array", items: { ...A, ...closed } } },
      ...closed,
    },
  },
  { what: "one that says it is open", open: { ...A, additionalProperties: true }, shut: { ...A, ...closed } },
  {
    what: "one that types its further members",
    open: { ...A, additionalProperties: A },
    shut: { ...A, additionalProperties: { ...A, ...closed } },
  },
  { what: "nothing of objects that several schemas describe", open: { allOf: [A, A] }, shut: { allOf: [A, A] } },
  { what: "nothing of alternatives", open: { anyOf: [A, A] }, shut: { anyOf: [A, A] } },
  {
    what: "nothing of an object that others describe, too",
    open: { ...A, allOf: [{ properties: { b: {} } }] },
    shut: { ...A, allOf: [{ properties: { b: {} } }] },
  },
  {
    what: "an object or null",
    open: { anyOf: [A, { type: "null" }] },
    shut: { anyOf: [{ ...A, ...closed }, { type: "null" }] },
  },
  {
    what: "a definition that is referred to for a whole value",
    open: { ...A, properties: { in: { $ref: "#/$defs/a" } }, $defs: { a: A } },
    shut: { ...A, properties: { in: { $ref: "#/$defs/a" } }, $defs: { a: { ...A, ...closed } }, ...closed },
  },
  {
    what: "nothing of a definition that is combined with more",
    open: {
      ...A,
      properties: { in: { $ref: "#/$defs/a" }, more: { allOf: [{ $ref: "#/$defs/a" }, A] } },
      $defs: { a: A },
    },
    shut: {
      ...A,
      properties: { in: { $ref: "#/$defs/a" }, more: { allOf: [{ $ref: "#/$defs/a" }, A] } },
      $defs: { a: A },
      ...closed,
    },
  },
];

for (const { what, open, shut } of CASES)
  test(`closes ${what}`, () => {
    assert.deepEqual(closedSchema(open), shut);
    assert.ok(onlyCloses(open, shut));
    assert.deepEqual(closedSchema(shut), shut, "once is enough");
  });

test("whatever the schema, closing it only closes", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom("type", "properties", "items", "$defs", "anyOf", "additionalProperties", "x"),
        fc.jsonValue(),
      ),
      (any) => {
        const schema = JSON.parse(JSON.stringify(any)) as JsonObject;
        assert.ok(onlyCloses(schema, closedSchema(schema)));
      },
    ),
  );
});

test("anything else than closing is told apart", () => {
  const others: readonly JsonObject[] = [
    { ...A, ...closed, properties: { a: { type: "string" } } },
    { ...A, ...closed, properties: { a: { type: "number" }, b: { type: "number" } } },
    { ...A, ...closed, properties: {} },
    { ...A, ...closed, required: ["a"] },
    { ...A, additionalProperties: { type: "number" } },
  ];
  for (const other of others) assert.equal(onlyCloses(A, other), false, JSON.stringify(other));
  assert.equal(onlyCloses({ ...A, additionalProperties: A }, { ...A, ...closed }), false);
  assert.equal(onlyCloses({ ...A, ...closed }, A), false);
});
