import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import {
  inspectArguments,
  lintInputSchema,
  MAX_MATCHED_LENGTH,
  MAX_MATCHED_NAME,
  MAX_MATCHED_NAMES,
  MAX_SUBSCHEMAS,
  MAX_UNIQUE_ITEMS,
  prepareSchemas,
  type InspectedTool,
} from "./index.ts";
import { MAX_PATTERN_SIZE } from "./schema/pattern/linear-pattern.ts";
import { MAX_WORK, workDone } from "./schema/work.ts";

/** A tool whose catalog entry allows additional arguments, so that its schema alone decides. */
const tool = (inputSchema: JsonObject): InspectedTool => ({
  toolName: "t",
  inputSchema,
  outputSchema: null,
  additionalArguments: true,
});
/** What is said of arguments where the schema is read as closed. */
const closed = (inputSchema: JsonObject, args: JsonObject): string => {
  const checked = inspectArguments({ toolName: "t", inputSchema, outputSchema: null }, args);
  return checked.ok ? "" : checked.why;
};
const UNDECLARED = "an argument is not declared in the schema";
const UNTYPED = "an argument has no type in the schema";
const accepts = (schema: JsonObject, args: JsonObject): boolean => inspectArguments(tool(schema), args).ok;
const why = (schema: JsonObject, args: JsonObject): string => {
  const checked = inspectArguments(tool(schema), args);
  return checked.ok ? "" : checked.why;
};
const refused = (schema: JsonObject, message: RegExp): void => {
  assert.throws(
    () => prepareSchemas(tool(schema)),
    (thrown) =>
      thrown instanceof Error && "code" in thrown && thrown.code === "CATALOG_INVALID" && message.test(thrown.message),
    JSON.stringify(schema).slice(0, 200),
  );
};
const property = (schema: JsonValue): JsonObject => ({ type: "object", properties: { a: schema } });

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

void describe("what lint says of an input schema", () => {
  void it("is that it refuses every argument, or that additional ones pass unseen", () => {
    for (const inputSchema of [{}, { type: "object" }, { additionalProperties: true }, { additionalProperties: {} }])
      assert.match(
        lintInputSchema({ toolName: "t", inputSchema, outputSchema: null }).join(),
        /tool t: .*any argument is refused/,
      );
    for (const inputSchema of [
      property({ type: "string" }),
      { additionalProperties: false },
      { additionalProperties: { type: "string" } },
      { $ref: "#/$defs/a", $defs: { a: property({ type: "string" }) } },
    ])
      assert.deepEqual(lintInputSchema({ toolName: "t", inputSchema, outputSchema: null }), []);
    assert.match(lintInputSchema(tool({})).join(), /reach the server unseen by rules/);
  });
});

void describe("bounds on what a check costs", () => {
  void it("do not try patterns and formats on long strings", () => {
    const long = "a".repeat(MAX_MATCHED_LENGTH + 1);
    for (const schema of [{ pattern: "^a+$" }, { format: "json-pointer" }])
      assert.equal(accepts(property(schema), { a: long }), false);
    assert.equal(accepts(property({ pattern: "^a+$" }), { a: long.slice(1) }), true);
    assert.equal(accepts(property({ pattern: "^a+$" }), { a: 5 }), true);
    assert.equal(accepts(property({ type: "string" }), { a: long }), true);
    assert.equal(accepts(property({ format: "unheard-of" }), { a: long }), true);
    assert.equal(accepts(property({ format: "email" }), { a: "no address" }), false);
  });

  void it("do not compare many items or match long names", () => {
    const distinct = Array.from({ length: MAX_UNIQUE_ITEMS + 1 }, (_, index) => index);
    assert.equal(accepts(property({ uniqueItems: true }), { a: distinct }), false);
    assert.equal(accepts(property({ uniqueItems: true }), { a: distinct.slice(1) }), true);
    assert.equal(accepts(property({ uniqueItems: true }), { a: [1, 1] }), false);
    assert.equal(accepts({ patternProperties: { "^x": true } }, { ["y".repeat(MAX_MATCHED_NAME + 1)]: 1 }), false);
    assert.equal(accepts({}, { ["y".repeat(MAX_MATCHED_NAME + 1)]: 1 }), true);
  });

  void it("end a schema that refers to itself, as a refusal", () => {
    for (const schema of [
      { $ref: "#" },
      { allOf: [{ $ref: "#" }] },
      { properties: { a: { $ref: "#/properties/b" }, b: { $ref: "#/properties/a" } } },
    ])
      assert.equal(accepts(schema, { a: 1 }), false);
    assert.equal(
      accepts({ properties: { a: { $ref: "#" } }, additionalProperties: false }, { a: { a: { a: {} } } }),
      true,
    );
    assert.equal(
      accepts({ properties: { a: { $ref: "#" } }, additionalProperties: false }, { a: { a: { b: {} } } }),
      false,
    );
  });

  void it("match a pattern in work linear in the text, whatever the pattern and the text", () => {
    for (const [pattern, unit] of [
      ["^(a+)+$", "a"],
      ["^(a|a)*$", "a"],
      ["(a|aa)+$", "a"],
      ["^(\\w+\\s?)*$", "a"],
      ["^(a*)(a*)(a*)(a*)(a*)(a*)b$", "a"],
      ["^.*,.*,.*,.*,.*,.*x$", ","],
      ["\\s+$", " "],
    ] as const) {
      const steps = [320, 640, 1280].map((length) => {
        assert.equal(accepts(property({ type: "string", pattern }), { a: `${unit.repeat(length)}!` }), false, pattern);
        return workDone();
      });
      const [one = 0, two = 0, four = 0] = steps;
      assert.ok(one > 0 && two <= one * 2 && four <= one * 4, `${pattern}: ${steps.join()}`);
      assert.ok(two < 640 * MAX_PATTERN_SIZE, pattern);
    }
  });

  void it("end a check of many long texts against a large pattern, as a refusal", () => {
    const schema: JsonObject = {
      properties: { a: { type: "array", items: { type: "string", pattern: "^(?:[a-c]{1,500})*$" } } },
    };
    const text = "a".repeat(MAX_MATCHED_LENGTH);
    assert.equal(accepts(schema, { a: [text] }), true);
    assert.equal(
      why(schema, { a: Array.from({ length: 100 }, () => text) }),
      "the schema could not be applied to this value",
    );
    assert.ok(workDone() <= MAX_WORK * 1.2);
  });

  void it("match the names of properties in the same way", () => {
    const schema: JsonObject = {
      patternProperties: {
        "^(x+)+$": { type: "string" },
        "^x": { type: "string", maxLength: 3 },
        "\\d$": { type: "integer" },
      },
      additionalProperties: false,
    };
    for (const [args, fits] of [
      [{ xx: "a" }, true],
      [{ xx: 1 }, false],
      [{ xy: "long" }, false],
      [{ xy: "lo" }, true],
      [{ n1: 1, n2: 2 }, true],
      [{ n1: "1" }, false],
      [{ x1: "a" }, false],
      [{ other: 1 }, false],
      [{ [`${"x".repeat(100)}!`]: "a" }, true],
      [{ [`${"x".repeat(300)}!`]: "a" }, false],
      [Object.fromEntries(Array.from({ length: MAX_MATCHED_NAMES + 1 }, (_, index) => [`x${index}y`, "a"])), false],
    ] as const)
      assert.equal(accepts(schema, args), fits, JSON.stringify(args).slice(0, 100));
    assert.equal(why(schema, { "x/4111-1111": 1 }).includes("4111"), false);
  });

  void it("refuse patterns that no linear engine takes", () => {
    for (const pattern of ["(a)\\1", "(?<x>a)\\k<x>", "^(?!-)[a-z-]{1,63}$", "a{5000}", "a".repeat(1025), "("]) {
      refused(
        property({ pattern }),
        /#\/properties\/a\/pattern: (cannot be matched in linear time|is longer|is not a regular)/,
      );
      refused({ patternProperties: { [pattern]: true } }, /patternProperties: (cannot|is longer|is not a regular)/);
    }
  });

  void it("read the formats of the specification within their longest texts", () => {
    for (const [format, good, bad] of [
      ["date", ["2026-02-28"], ["2026-02-30", "2026-2-1"]],
      [
        "date-time",
        ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00.5+01:00"],
        ["2026-02-28", `2026-02-28T10:00:00.${"1".repeat(60)}Z`],
      ],
      ["time", ["10:00:00Z"], ["25:00:00Z"]],
      ["duration", ["P1D", "PT1H30M"], ["1D", `P${"1".repeat(80)}D`]],
      ["email", ["a@example.org"], ["a", `${"a".repeat(400)}@example.org`]],
      ["hostname", ["a.example.org"], ["-a", `${"a.".repeat(200)}a`]],
      ["ipv4", ["127.0.0.1"], ["256.0.0.1"]],
      ["ipv6", ["::1", "2001:db8::8:800:200c:417a"], [":::", "x"]],
      ["uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]],
      [
        "uri",
        ["https://user@h.example:80/a/b?q=1#f", "urn:isbn:1", "mailto:a@b", "http://[::1]/x"],
        ["/a", "http://a b", "a", "http://h/%zz"],
      ],
      ["uri-reference", ["/a/b", "a?b#c", "//h/x", "", "urn:x"], ["a b", "\\\\x"]],
      ["url", ["https://h.example/a"], ["urn:x", "https://", `http://${"a-".repeat(50)}^`]],
      ["uri-template", ["http://h/{id}{?q,r*}", "x"], ["{", "{a b}"]],
      ["json-pointer", ["", "/a/~0b/~1"], ["a", "/~2"]],
      ["relative-json-pointer", ["0#", "1/a"], ["-1", "01"]],
      ["json-pointer-uri-fragment", ["#/a"], ["/a"]],
      ["regex", ["^a$"], ["("]],
    ] as const) {
      for (const text of good) assert.equal(why(property({ format }), { a: text }), "", `${format} ${text}`);
      for (const text of bad)
        assert.equal(why(property({ format }), { a: text }), "schema #/properties/a/format", `${format} ${text}`);
    }
  });

  void it("take the patterns people write", () => {
    for (const pattern of [
      "^[a-z]+(-[a-z]+)*$",
      "^\\d{3}-\\d{2}-\\d{4}$",
      "^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$",
      "^(GET|POST|PUT)$",
      "^(?:\\d{1,3}\\.){3}\\d{1,3}$",
      "^#?([a-f0-9]{6}|[a-f0-9]{3})$",
      "^\\S+$",
      "^(/[^/]+)+$",
      "^\\p{L}[\\p{L}\\p{N} ]*$",
      "^[0-9]{4}(-[0-9]{2}){0,2}$",
      "",
      "^.*\\.txt$",
      "^https?://",
    ]) {
      prepareSchemas(tool(property({ pattern })));
    }
  });
});

void describe("schemas that cannot be followed exactly", () => {
  void it("are refused when the catalog loads, with the place", () => {
    refused(property({ $ref: "https://example.org/schema.json" }), /#\/properties\/a\/\$ref: only references within/);
    refused(property({ $ref: "other.json#/a" }), /only references within/);
    refused(property({ $ref: "#/$defs/none" }), /leads nowhere/);
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
