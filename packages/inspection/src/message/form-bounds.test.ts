/** A field of a form takes what lies within its bounds, themselves included. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { inspectError } from "../index.ts";
import { open } from "../testing/messages.ts";
import { readFormAnswer } from "./form-answer.ts";

const takes = (field: JsonValue, value: JsonValue): boolean =>
  readFormAnswer({ type: "object", properties: { a: field } }, { a: value }) !== null;

test("a text, a number and a list of choices are taken from the least to the most, and not beyond", () => {
  const items = { type: "string", enum: ["a", "b", "c", "d"] };
  const listed = (count: number): string[] => ["a", "b", "c", "d"].slice(0, count);
  for (const [field, valueOf] of [
    [{ type: "string", minLength: 2, maxLength: 3 }, (size) => "\u{1f600}".repeat(size)],
    [{ type: "number", minimum: 2, maximum: 3 }, (size) => size],
    [{ type: "integer", minimum: 2, maximum: 3 }, (size) => size],
    [{ type: "array", items, minItems: 2, maxItems: 3 }, listed],
  ] as readonly (readonly [JsonObject, (size: number) => JsonValue])[])
    assert.deepEqual(
      [1, 2, 3, 4].map((size) => takes(field, valueOf(size))),
      [false, true, true, false],
      JSON.stringify(field),
    );
});

test("a field without bounds takes any value of its type, and a field without a type takes none", () => {
  for (const [type, values] of [
    ["string", ["", "x"]],
    ["number", [-1e300, 0.5]],
    ["integer", [-7, 0]],
    ["boolean", [true, false]],
  ] as const)
    for (const value of values) assert.ok(takes({ type }, value), `${type} ${value}`);
  assert.ok(takes({ type: "array", items: { type: "string", enum: ["a"] } }, []));
  for (const field of [{}, { type: 1 }, { type: "constructor" }, { type: "null" }, "string", null])
    for (const value of ["x", 1, true, null, []]) assert.equal(takes(field, value), false, JSON.stringify(field));
  for (const [type, value] of [
    ["integer", 0.5],
    ["integer", "1"],
    ["number", "1"],
    ["string", 1],
    ["boolean", 0],
    ["array", "a"],
  ] as const)
    assert.equal(takes({ type, items: { enum: ["a"] } }, value), false, type);
});

test("a choice is one of those that the field lists, by the list that counts", () => {
  const titled = [{ const: "a", title: "A" }, { title: "no value" }, "b"];
  assert.deepEqual(
    ["a", "b", "A"].map((value) => takes({ type: "string", oneOf: titled }, value)),
    [true, false, false],
  );
  assert.deepEqual(
    ["a", "c"].map((value) => takes({ type: "string", enum: ["c"], oneOf: titled }, value)),
    [false, true],
  );
  assert.equal(takes({ type: "string", enum: "c" }, "c"), false, "a list that is none lists nothing");
  assert.equal(takes({ type: "array", items: { anyOf: titled } }, ["a"]), true);
  assert.equal(takes({ type: "array", items: { anyOf: titled } }, ["b"]), false);
  assert.equal(takes({ type: "array" }, ["a"]), false);
});

test("an answer without a form, or to a form without fields, is none", () => {
  const schema = { type: "object", properties: { a: { type: "boolean" } } };
  for (const [of, content] of [
    [undefined, {}],
    [{}, {}],
    [{ properties: [] }, {}],
    [schema, undefined],
    [schema, "text"],
    [{ ...schema, required: ["b"] }, { a: true }],
    [{ ...schema, required: [1] }, { a: true }],
  ] as readonly (readonly [JsonValue | undefined, JsonValue | undefined])[])
    assert.equal(readFormAnswer(of, content), null, JSON.stringify([of, content]));
  assert.deepEqual(readFormAnswer(schema, {}), {});
  assert.deepEqual(readFormAnswer({ ...schema, required: ["a"] }, { a: true }), { a: true });
});

test("an error's data has 16384 bytes at most", () => {
  const elicitation = (length: number) => ({
    mode: "url",
    message: "x".repeat(length),
    url: "a:b",
    elicitationId: "1",
  });
  const dataOf = (bytes: number): JsonObject => {
    const { length } = JSON.stringify({ elicitations: [elicitation(0), elicitation(0)] });
    return { elicitations: [elicitation(10_000), elicitation(bytes - length - 10_000)] };
  };
  for (const [bytes, kept] of [
    [16_384, true],
    [16_385, false],
  ] as const) {
    assert.equal(Buffer.byteLength(JSON.stringify(dataOf(bytes))), bytes);
    assert.equal("data" in inspectError({ code: 1, message: "m", data: dataOf(bytes) }, open), kept);
  }
});
