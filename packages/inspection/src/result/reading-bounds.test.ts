/** How much of a result is read as JSON, and counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { inspectResult } from "../index.ts";
import { canProject, projectResult } from "../redaction/project-result.ts";
import { prepareSchemas } from "../schema/prepare.ts";
import { block } from "../shape/content.ts";
import { removeLookAlikes } from "./look-alike.ts";
import { soleJson } from "./output-schema.ts";
import { isLarger } from "./size.ts";
import { readTextContent } from "./text.ts";

const MEBIBYTES = 1024 * 1024;
const text = (value: JsonValue): JsonObject => ({ type: "text", text: JSON.stringify(value) });

test("a text is read as JSON up to 64 levels, 200000 values and 16 MiB, and is ambiguous beyond", () => {
  const kinds = (of: (size: number) => string, most: number): readonly string[] =>
    [most, most + 1].map((size) => readTextContent(of(size)).kind);
  assert.deepEqual(
    kinds((size) => "[".repeat(size) + "]".repeat(size), 64),
    ["json", "ambiguous"],
  );
  assert.deepEqual(
    kinds((size) => JSON.stringify(Array<number>(size - 1).fill(1)), 200_000),
    ["json", "ambiguous"],
  );
  assert.deepEqual(
    kinds((size) => `["${"x".repeat(size - 4)}"]`, 16 * MEBIBYTES),
    ["json", "ambiguous"],
  );
});

test("a text of a result has 64 MiB at most", () => {
  const isRead = (length: number): boolean => block({ type: "text", text: "x".repeat(length) }, "", []) !== undefined;
  assert.deepEqual([isRead(64 * MEBIBYTES), isRead(64 * MEBIBYTES + 1)], [true, false]);
});

test("behind 256 texts that are no JSON one that may be is searched for names alone", () => {
  const behind = (failures: number): JsonValue | undefined => {
    const texts = [...Array.from({ length: failures }, (_, index) => `[${index}x]`), '{"_cmcp":1,"a":2}'];
    const { texts: left } = removeLookAlikes({ texts }, []);
    return Array.isArray(left) ? left.at(-1) : undefined;
  };
  assert.deepEqual([behind(255), behind(256)], ['{"a":2}', ""]);
});

test("what a result lacks is no text, whatever its schema takes", () => {
  const tool = { toolName: "t", inputSchema: {}, outputSchema: { type: "string" } };
  const outcome = (result: JsonObject): string =>
    inspectResult(tool, result, { maxBytes: MEBIBYTES, redactFields: [] }).outcome;
  for (const content of [[], [{ type: "text", text: "prose" }], [text({}), text({})], [text("quoted")]])
    assert.equal(outcome({ content }), "schema_violation", JSON.stringify(content));
  assert.equal(outcome({ content: [], structuredContent: "x" }), "pass");
  for (const content of [undefined, "text", [], [1], [text("x"), text("y")], [{ type: "image", text: "{}" }]])
    assert.equal(soleJson(content), undefined);
  assert.deepEqual(soleJson([text({ a: 1 })]), { a: 1 });
});

test("a value that is estimated to fill the limit exactly, and has more behind it, is measured", () => {
  const members = (count: number): JsonObject =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, []]));
  for (let count = 1; count < 40; count += 1)
    for (const value of [members(count), { a: Array.from({ length: count }, () => []) }]) {
      const bytes = Buffer.byteLength(JSON.stringify(value));
      for (let limit = 1; limit < bytes + 10; limit += 1) assert.equal(isLarger(value, limit), bytes > limit);
    }
});

const PERSON = { type: "object", properties: { ssn: { type: "string" }, id: { type: "integer" } } };
const schemaOf = (outputSchema: JsonObject) =>
  prepareSchemas({ toolName: "t", inputSchema: {}, outputSchema }).projection;

test("what is redacted is counted: members, and blocks beside the one that is written", () => {
  const rules = { redactFields: ["ssn"], keepFields: [] };
  const person = { ssn: "123-45-6789", id: 7, more: 1 };
  const counts = (result: JsonObject): readonly (number | undefined)[] => {
    const projected = projectResult(result, schemaOf(PERSON), rules, result);
    return [projected?.redacted, projected?.withheld];
  };
  const block_ = text(person);
  assert.deepEqual(counts({ structuredContent: person }), [2, 0]);
  assert.deepEqual(counts({ structuredContent: person, content: [] }), [2, 0]);
  assert.deepEqual(counts({ structuredContent: person, content: [block_] }), [2, 0]);
  assert.deepEqual(counts({ structuredContent: person, content: [block_, block_, block_] }), [4, 2]);
  assert.deepEqual(counts({ content: [block_] }), [2, 0]);
  assert.deepEqual(counts({ isError: true }), [0, 0]);
  assert.deepEqual(counts({ isError: true, content: [block_, block_] }), [2, 2]);
});

test("20000 schemas of an output schema are looked at for the fields that it declares", () => {
  // Each of seven members leads to the same 2855: with itself, its target and the root that is 20000.
  const shared = Object.fromEntries(Array.from({ length: 2_854 }, (_, index) => [`p${index}`, {}]));
  const schema = (more: JsonObject): JsonObject => ({
    type: "object",
    properties: {
      ...Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`m${index}`, { $ref: "#/$defs/shared" }])),
      ...more,
    },
    $defs: { shared: { properties: { ...shared, ssn: {} } } },
  });
  assert.equal(canProject(schemaOf(schema({})), ["ssn"]), true);
  assert.equal(canProject(schemaOf(schema({ last: {} })), ["ssn"]), false);
});
