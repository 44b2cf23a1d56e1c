import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { headerMarksProblem } from "./header-marks.ts";

const property = (mark: JsonValue, type: JsonValue = "string"): JsonObject => ({ type, "x-mcp-header": mark });
const object = (properties: JsonObject): JsonObject => ({ type: "object", properties });

test("marks that a client may follow are no problem, and neither is a schema without", () => {
  for (const schema of [
    {},
    object({}),
    object({ a: property("Region"), b: property("Priority", "integer"), c: property("!#$%&'*+-.^_`|~0", "boolean") }),
    object({ outer: object({ inner: property("Inner") }) }),
  ])
    assert.equal(headerMarksProblem(schema), null);
});

test("each rule of the specification is held", () => {
  for (const mark of ["", "My Region", "Region:Primary", "Région", "a\r\nb", "a\tb", null, 5, {}])
    assert.match(
      headerMarksProblem(object({ a: property(mark) })) ?? "",
      /not the name of a header/,
      JSON.stringify(mark),
    );
  for (const type of ["object", "array", "null", "number", ["string", "null"]])
    assert.match(
      headerMarksProblem(object({ a: property("A", type) })) ?? "",
      /something else than a string/,
      JSON.stringify(type),
    );
  assert.match(headerMarksProblem(object({ a: { "x-mcp-header": "A" } })) ?? "", /something else/);
  assert.match(headerMarksProblem(object({ a: property("Region"), b: property("REGION") })) ?? "", /duplicate/);
  assert.match(headerMarksProblem({ type: "object", "x-mcp-header": "A" }) ?? "", /on the schema itself/);
});

test("a mark that properties alone do not lead to is a problem", () => {
  const inside = { properties: { b: property("B") } };
  for (const keyword of ["items", "contains", "additionalProperties", "not", "if", "then", "else", "propertyNames"])
    assert.match(
      headerMarksProblem(object({ a: { type: "array", [keyword]: inside } })) ?? "",
      /no chain of properties/,
      keyword,
    );
  for (const keyword of ["allOf", "anyOf", "oneOf", "prefixItems"])
    assert.match(headerMarksProblem({ type: "object", [keyword]: [{}, inside] }) ?? "", /no chain/, keyword);
  for (const keyword of ["$defs", "patternProperties", "dependentSchemas", "definitions"])
    assert.match(headerMarksProblem({ type: "object", [keyword]: { x: property("X") } }) ?? "", /no chain/, keyword);
});

test("what only looks like a mark is none", () => {
  assert.equal(headerMarksProblem(object({ "x-mcp-header": { type: "string" } })), null);
  assert.equal(
    headerMarksProblem(
      object({ a: { type: "object", default: { "x-mcp-header": "" }, enum: [{ "x-mcp-header": 5 }] } }),
    ),
    null,
  );
});
