import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import * as fc from "fast-check";
import { mirroredParameters, withoutMirroring } from "./mirrored-parameters.ts";

const marked = (name: JsonValue, type = "string"): JsonObject => ({ type, "x-mcp-header": name });
const object = (properties: JsonObject): JsonObject => ({ type: "object", properties });

test("marked arguments that have a value are mirrored, nested ones too, encoded where they must be", () => {
  const schema = object({
    region: marked("Region"),
    deep: object({ n: marked("N", "integer"), on: marked("On", "boolean") }),
    query: { type: "string" },
    none: marked("None"),
    empty: marked("Empty"),
  });
  const args = { region: "größe", deep: { n: -7, on: false }, query: "q", none: null };
  assert.deepEqual(mirroredParameters(schema, args), {
    "mcp-param-region": "=?base64?Z3LDtsOfZQ==?=",
    "mcp-param-n": "-7",
    "mcp-param-on": "false",
  });
  assert.deepEqual(mirroredParameters(schema, { deep: "no object", region: { a: 1 } }), {});
});

test("only marks reached through properties count, and only the arguments' own members", () => {
  const schema: JsonObject = {
    ...object({ list: { type: "array", items: marked("Item") }, toString: marked("Inherited") }),
    oneOf: [object({ a: marked("A") })],
  };
  assert.deepEqual(mirroredParameters(schema, { list: ["x"], a: "x" }), {});
});

test("a mark that is no header name, stands twice or makes too many is refused before anything is sent", () => {
  const many = object(Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`p${index}`, marked(`H${index}`)])));
  for (const schema of [
    object({ a: marked("") }),
    object({ a: marked("a b") }),
    object({ a: marked("a\r\nx: y") }),
    object({ a: marked(1) }),
    object({ a: marked("A"), b: marked("a") }),
    many,
  ]) {
    assert.throws(() => mirroredParameters(schema, {}), { code: "CATALOG_INVALID", detail: { sent: 0 } });
  }
});

test("property: a schema shown without marks mirrors nothing and keeps everything else", () => {
  const leaf = fc.record(
    { type: fc.constantFrom("string", "integer"), "x-mcp-header": fc.stringMatching(/^[A-Za-z]{1,8}$/) },
    { requiredKeys: ["type"] },
  );
  const { schema } = fc.letrec<{ schema: JsonObject }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.record({
        type: fc.constant("object"),
        properties: fc.dictionary(fc.constantFrom("a", "b", "x-mcp-header"), tie("schema")),
      }),
    ) as fc.Arbitrary<JsonObject>,
  }));
  const strip = (value: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== "x-mcp-header")
        .map(([key, inner]) => [
          key,
          key === "properties"
            ? Object.fromEntries(
                Object.entries(inner as JsonObject).map(([name, property]) => [name, strip(property as JsonObject)]),
              )
            : inner,
        ]),
    );
  fc.assert(
    fc.property(schema, fc.dictionary(fc.constantFrom("a", "b"), fc.string()), (generated, args) => {
      const shown = withoutMirroring(generated);
      assert.deepEqual(mirroredParameters(shown, args), {});
      assert.deepEqual(shown, strip(generated));
    }),
    { numRuns: 200 },
  );
});
