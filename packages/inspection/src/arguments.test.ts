import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { accepts, closed, property, refused, UNDECLARED, UNTYPED, why } from "./testing/arguments.ts";

void describe("arguments against the approved input schema", () => {
  void it("are held to types, required, closed objects, enums, ranges and references", () => {
    const schema: JsonObject = {
      type: "object",
      properties: {
        path: { type: "string", minLength: 1 },
        mode: { enum: ["r", "w"] },
        n: { type: "integer", minimum: 0 },
        item: { $ref: "#/$defs/item" },
        tuple: { prefixItems: [{ type: "string" }], items: false },
      },
      required: ["path"],
      additionalProperties: false,
      $defs: { item: { type: "object", required: ["id"] } },
    };
    assert.ok(accepts(schema, { path: "a", mode: "r", n: 1, item: { id: 1 }, tuple: ["x"] }));
    for (const bad of [
      {},
      { path: 1 },
      { path: "" },
      { path: "a", mode: "x" },
      { path: "a", n: -1 },
      { path: "a", n: 1.5 },
      { path: "a", item: {} },
      { path: "a", tuple: ["x", 1] },
      { path: "a", b: 1 },
    ]) {
      assert.equal(accepts(schema, bad), false, JSON.stringify(bad));
    }
  });

  void it("are refused with the schema's keyword and nothing of theirs", () => {
    const secret = "4111-1111-1111-1111";
    assert.equal(why(property({ type: "string", pattern: "^a$" }), { a: secret }), "schema #/properties/a/pattern");
    assert.equal(why({ additionalProperties: false }, { [secret]: 1 }), "schema #/additionalProperties");
    const two = { properties: { a: { type: "string" }, b: { type: "string" } } };
    assert.equal(why(two, { a: 1, b: 1 }), "schema #/properties/a/type", "the first fault ends the check");
    const long = { properties: { ["a".repeat(400)]: { maxLength: 1 } } };
    assert.equal(why(long, { ["a".repeat(400)]: secret }), `schema #/properties/${"a".repeat(287)}`);
    for (const schema of [
      property({ const: "x" }),
      property({ maximum: 1 }),
      property({ maxLength: 1 }),
      { additionalProperties: false },
      { propertyNames: { maxLength: 1 } },
      { maxProperties: 0 },
      { unevaluatedProperties: false },
      { patternProperties: { "^4": false } },
    ]) {
      for (const args of [{ a: secret }, { [secret]: secret }, { a: 4111111111111111 }])
        assert.equal(why(schema, args).includes("4111"), false);
    }
  });

  void it("are as long as they have code points, however long a text is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 8 }), fc.nat(9), (text, bound) => {
        const { length } = Array.from(text);
        assert.equal(
          why(property({ minLength: bound }), { a: text }),
          length < bound ? "schema #/properties/a/minLength" : "",
        );
        assert.equal(
          why(property({ maxLength: bound }), { a: text }),
          length > bound ? "schema #/properties/a/maxLength" : "",
        );
        assert.equal(
          accepts(property({ minLength: 2, maxLength: bound }), { a: text }),
          length >= 2 && length <= bound,
        );
      }),
      { numRuns: 1000 },
    );
    assert.equal(accepts(property({ maxLength: 2 }), { a: [1, 2, 3] }), true, "only texts have such a length");
  });

  void it("are not bound by a format that the schema calls as this package calls its own", () => {
    assert.equal(accepts(property({ maxLength: 1 }), { a: "ab" }), false);
    assert.equal(accepts(property({ format: "surely 0 to 1 code points" }), { a: "ab" }), true);
  });

  void it("meet a schema as its dialect says, 2020-12 where none is named", () => {
    const beside = { $ref: "#/definitions/s", maxLength: 1 };
    const schema = (dialect: JsonObject): JsonObject => ({
      ...dialect,
      ...property(beside),
      definitions: { s: { type: "string" } },
    });
    assert.equal(accepts(schema({}), { a: "long" }), false);
    assert.equal(accepts(schema({ $schema: "http://json-schema.org/draft-07/schema#" }), { a: "long" }), true);
    assert.equal(
      accepts(
        {
          $schema: "http://json-schema.org/draft-07/schema#",
          ...property({ items: [{ type: "string" }], additionalItems: false }),
        },
        { a: ["x", 1] },
      ),
      false,
    );
    assert.equal(accepts({ dependencies: { a: ["b"], c: { required: ["d"] } } }, { a: 1 }), false);
    assert.equal(accepts({ dependencies: { a: ["b"], c: { required: ["d"] } } }, { c: 1 }), false);
    assert.equal(accepts({ dependencies: { a: ["b"], c: { required: ["d"] } } }, { a: 1, b: 1, c: 1, d: 1 }), true);
    refused({ $schema: "https://example.org/my-dialect" }, /\$schema/);
  });

  void it("may hold any property name that objects inherit", () => {
    for (const name of ["constructor", "toString", "hasOwnProperty", "valueOf"]) {
      assert.equal(
        accepts({ properties: { [name]: { type: "string" } }, additionalProperties: false }, { [name]: "x" }),
        true,
      );
      assert.equal(accepts({ required: [name] }, {}), false);
      assert.equal(accepts({ additionalProperties: false }, { [name]: 1 }), false);
    }
  });

  void it("and the schema stay as they were", () => {
    const schema = Object.freeze({
      type: "object",
      properties: Object.freeze({ a: Object.freeze({ $ref: "#/$defs/s" }) }),
      $defs: Object.freeze({ s: Object.freeze({ type: "string" }) }),
    }) as unknown as JsonObject;
    const before = JSON.stringify(schema);
    assert.ok(accepts(schema, Object.freeze({ a: "x" })));
    assert.equal(JSON.stringify(schema), before);
  });
});

void describe("arguments under an input schema read as closed", () => {
  void it("are declared at every level, whatever the schema says of additional ones", () => {
    const address: JsonObject = { type: "object", properties: { city: { type: "string" } } };
    const schema: JsonObject = {
      type: "object",
      properties: { name: { type: "string" }, address, list: { type: "array", items: address } },
      additionalProperties: true,
    };
    assert.equal(closed(schema, { name: "a", address: { city: "b" }, list: [{ city: "c" }, {}] }), "");
    for (const args of [
      { other: 1 },
      { name: "a", _meta: {} },
      { address: { city: "b", other: 1 } },
      { list: [{ city: "c" }, { other: 1 }] },
    ])
      assert.equal(closed(schema, args), UNDECLARED, JSON.stringify(args));
  });

  void it("are refused by a schema that declares nothing, unless the entry allows additional ones", () => {
    for (const schema of [
      {},
      { type: "object" },
      { type: "object", additionalProperties: true },
      { additionalProperties: {} },
    ]) {
      assert.equal(closed(schema, { a: 1 }), UNDECLARED, JSON.stringify(schema));
      assert.equal(accepts(schema, { a: 1 }), true);
    }
    for (const schema of [{}, { type: "object" }]) assert.equal(closed(schema, {}), "");
  });

  void it("have a type: what the schema names and says nothing of is refused", () => {
    for (const schema of [
      {},
      true,
      { title: "t", description: "d" },
      { not: { type: "string", maxLength: 0 } },
      { allOf: [{}] },
    ])
      for (const value of ["text", 1, true, null, [], {}])
        assert.equal(closed(property(schema), { a: value }), UNTYPED, JSON.stringify([schema, value]));
    assert.equal(closed(property({ type: "array" }), { a: [] }), "");
    assert.equal(closed(property({ type: "array" }), { a: [1] }), UNTYPED);
    assert.equal(closed(property({ type: "object" }), { a: { b: 1 } }), UNDECLARED);
    assert.equal(closed(property({ minimum: 1 }), { a: { b: 1 } }), UNTYPED, "a keyword of numbers types numbers only");
    const typed: readonly (readonly [JsonObject, JsonValue])[] = [
      [{ minimum: 1 }, 2],
      [{ maxLength: 5 }, "abc"],
      [{ pattern: "^a" }, "abc"],
      [{ format: "date" }, "2026-01-01"],
      [{ enum: ["x", { y: 1 }] }, "x"],
      [{ const: null }, null],
      [{ type: ["integer", "null"] }, null],
      [{ properties: { b: { type: "boolean" } } }, { b: true }],
      [{ prefixItems: [{ type: "string" }] }, ["x"]],
      [{ $ref: "#/$defs/s" }, "x"],
    ];
    for (const [schema, value] of typed)
      assert.equal(
        closed({ ...property(schema), $defs: { s: { type: "string" } } }, { a: value }),
        "",
        JSON.stringify(schema),
      );
  });

  void it("may be of a map whose values have a type", () => {
    const map: JsonObject = { type: "object", additionalProperties: { type: "string" } };
    assert.equal(closed(map, { any: "a" }), "");
    assert.equal(closed({ patternProperties: { "^x": { type: "string" } } }, { xa: "a" }), "");
    assert.equal(closed({ patternProperties: { "^x": { type: "string" } } }, { a: "a" }), UNDECLARED);
    assert.equal(closed({ type: "object", additionalProperties: { type: "object" } }, { any: { b: 1 } }), UNDECLARED);
  });

  void it("are declared by the alternative that accepts them, and by no other", () => {
    const kind = (name: string, more: JsonObject): JsonObject => ({
      properties: { kind: { const: name }, ...more },
      required: ["kind"],
    });
    for (const keyword of ["anyOf", "oneOf"]) {
      const schema: JsonObject = {
        type: "object",
        [keyword]: [kind("a", { of_a: { type: "string" } }), kind("b", {})],
      };
      assert.equal(closed(schema, { kind: "a", of_a: "x" }), "");
      assert.equal(closed(schema, { kind: "b" }), "");
      assert.equal(closed(schema, { kind: "b", of_a: "x" }), UNDECLARED, keyword);
    }
    const conditional = JSON.parse(`{
      "properties": { "kind": { "type": "string" } },
      "if": { "properties": { "kind": { "const": "a" } }, "required": ["kind"] },
      "then": { "properties": { "of_a": { "type": "string" } } },
      "else": { "properties": { "of_b": { "type": "string" } } }
    }`) as JsonObject;
    assert.equal(closed(conditional, { kind: "a", of_a: "x" }), "");
    assert.equal(closed(conditional, { kind: "b", of_b: "x" }), "");
    assert.equal(closed(conditional, { kind: "b", of_a: "x" }), UNDECLARED);
    const dependent: JsonObject = {
      properties: { a: { type: "string" } },
      dependentSchemas: { a: { properties: { b: { type: "string" } } } },
    };
    assert.equal(closed(dependent, { a: "x", b: "x" }), "");
    assert.equal(closed(dependent, { b: "x" }), UNDECLARED);
  });
});
