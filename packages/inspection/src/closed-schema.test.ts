/** Closing a schema refuses nothing that the gateway lets through under the open one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { closedSchema } from "@cmcp/catalog";
import * as fc from "fast-check";
import { inspectArguments } from "./arguments.ts";

const SCALAR: JsonObject = { type: "number" };
const object = (properties: JsonObject): JsonObject => ({ type: "object", properties });

const tool = (inputSchema: JsonObject) => ({ toolName: "t", inputSchema, outputSchema: null });
const accepts = (schema: JsonObject, value: JsonObject, additionalArguments = false): boolean =>
  inspectArguments({ ...tool(schema), additionalArguments }, value).ok;

const SCHEMAS = fc.letrec<{ schema: JsonObject; object: JsonObject }>((tie) => ({
  schema: fc.oneof(
    { depthSize: "small" },
    fc.constant(SCALAR),
    fc.constant({ $ref: "#/$defs/d" }),
    tie("object"),
    tie("schema").map((items) => ({ type: "array", items })),
    tie("schema").map((one) => ({ anyOf: [one, { type: "null" }] })),
    fc.tuple(tie("object"), tie("object")).map(([one, two]) => ({ anyOf: [one, two] })),
    fc.tuple(tie("object"), tie("object")).map(([one, two]) => ({ allOf: [one, two] })),
    fc.tuple(tie("object"), tie("object")).map(([one, two]) => ({ ...one, allOf: [two, { $ref: "#/$defs/d" }] })),
  ),
  object: fc
    .dictionary(fc.constantFrom("a", "b", "c"), tie("schema"), { maxKeys: 3 })
    .chain((properties) =>
      fc.constantFrom<JsonObject>(
        object(properties),
        { ...object(properties), additionalProperties: true },
        { ...object(properties), additionalProperties: SCALAR },
      ),
    ),
}));

const VALUES = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant<JsonValue>(1),
    fc.constant<JsonValue>(null),
    tie("object"),
    fc.array(tie("value"), { maxLength: 2 }),
  ),
  object: fc.dictionary(fc.constantFrom("a", "b", "c", "d"), tie("value"), { maxKeys: 3 }),
}));

/** An object that several schemas describe together. */
const COMBINED = fc
  .tuple(SCHEMAS.object, SCHEMAS.object)
  .map(([one, two]): JsonObject => ({ ...one, allOf: [two, { $ref: "#/$defs/d" }] }));

test("what the gateway accepts under the open schema, it accepts under the closed one", () => {
  fc.assert(
    fc.property(fc.oneof(SCHEMAS.object, COMBINED), SCHEMAS.object, VALUES.object, (root, definition, value) => {
      const schema: JsonObject = { ...root, $defs: { d: definition } };
      if (accepts(schema, value)) assert.ok(accepts(closedSchema(schema), value, true));
    }),
    { numRuns: 3_000 },
  );
});
