import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { inspectArguments, MAX_SUBSCHEMAS, prepareSchemas } from "../index.ts";
import { property, refused, tool } from "../testing/arguments.ts";

void describe("schemas that cannot be followed exactly", () => {
  void it("are refused when the catalog loads, with the place", () => {
    refused(property({ $ref: "https://example.org/schema.json" }), /#\/properties\/a\/\$ref: only references within/);
    refused(property({ $ref: "other.json#/a" }), /only references within/);
    refused(property({ $ref: "#/$defs/none" }), /leads nowhere/);
    refused(property({ $ref: `#/${"a".repeat(200)}` }), /reference #\/a{98} leads nowhere/);
    refused(property({ $id: "https://example.org/x", $ref: "#" }), /\$id/);
    refused(property({ $dynamicRef: "#x" }), /\$dynamicRef/);
    refused(property({ $recursiveRef: "#" }), /\$recursiveRef/);
    refused(property({ __absolute_ref__: "#" }), /__absolute_ref__/);
    refused(property({ pattern: "(" }), /pattern/);
    refused(property({ pattern: 5 }), /pattern/);
    refused({ patternProperties: { "[": true } }, /patternProperties/);
    refused(property("string"), /is not a schema/);
    refused({ properties: [] }, /properties/);
    refused({ anyOf: {} }, /anyOf/);
  });

  void it("are refused when a keyword has a value of the wrong kind", () => {
    for (const keyword of [
      { type: "strng" },
      { type: [] },
      { required: "a" },
      { enum: "a" },
      { minLength: "1" },
      { minLength: -1 },
      { maximum: "1" },
      { multipleOf: 0 },
      { dependentRequired: { a: "b" } },
    ])
      refused(property(keyword), /wrong kind/);
  });

  void it("are refused when too large or too deep", () => {
    refused({ anyOf: Array.from({ length: MAX_SUBSCHEMAS + 1 }, () => ({})) }, /subschemas/);
    let deep: JsonObject = {};
    for (let index = 0; index < 70; index += 1) deep = { not: deep };
    refused(deep, /nested deeper/);
  });

  void it("may carry annotations of any shape", () => {
    prepareSchemas(
      tool({
        $id: "https://example.org/root",
        title: 1,
        valueOf: 1,
        constructor: 1,
        default: { $ref: "x" },
        examples: [{ $ref: "x" }],
        "x-vendor": { $ref: "http://x", $id: 5 },
        description: "d",
        properties: { $ref: { type: "string" }, id: { type: "string" }, $id: true },
      }),
    );
  });

  void it("of any shape end in a refusal or an answer", () => {
    const keyword = fc.constantFrom(
      "type",
      "properties",
      "items",
      "allOf",
      "$ref",
      "required",
      "pattern",
      "$defs",
      "enum",
      "if",
      "else",
      "dependencies",
      "additionalProperties",
      "$schema",
      "$anchor",
      "uniqueItems",
      "format",
      "id",
    );
    const schema = fc.letrec<{ s: JsonValue }>((tie) => ({
      s: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom<JsonValue>(true, false, null, 1, "string", "#", "#/properties/a", "a", []),
        fc.array(tie("s"), { maxLength: 3 }),
        fc.dictionary(keyword, tie("s"), { maxKeys: 4, noNullPrototype: true }),
        fc.dictionary(fc.constantFrom("a", "b"), tie("s"), { noNullPrototype: true }),
      ),
    })).s;
    fc.assert(
      fc.property(schema, (inputSchema) => {
        if (typeof inputSchema !== "object" || inputSchema === null || Array.isArray(inputSchema)) return;
        try {
          assert.equal(typeof inspectArguments(tool(inputSchema), { a: [1], b: "x" }).ok, "boolean");
        } catch (thrown) {
          assert.ok(thrown instanceof Error && "code" in thrown && thrown.code === "CATALOG_INVALID", String(thrown));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
