import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { inspectResult, MIN_REPEATED_LENGTH, type InspectedResult } from "../index.ts";

const SSN = "123-45-6789";
const string: JsonObject = { type: "string" };
const object = (properties: JsonObject): JsonObject => ({ type: "object", properties });

interface Rules {
  readonly fields?: readonly string[];
  readonly keep?: readonly string[];
}
/** A result under an output schema, or under the operator's own where the tool has none. */
function inspect(result: JsonObject, schema: JsonObject | null, rules: Rules = {}, own = false): InspectedResult {
  const tool = own
    ? { toolName: "t", inputSchema: {}, outputSchema: null, projectionSchema: schema }
    : { toolName: "t", inputSchema: {}, outputSchema: schema };
  const { fields: redactFields = ["ssn"], keep: keepFields = [] } = rules;
  return inspectResult(tool, result, { maxBytes: 10_000_000, redactFields, keepFields });
}
const structured = (value: JsonValue, schema: JsonObject, rules?: Rules): JsonValue | undefined =>
  inspect({ content: [], structuredContent: value }, schema, rules).result?.["structuredContent"];
const asText = (value: JsonValue): JsonObject => ({ type: "text", text: JSON.stringify(value) });
const withheld = (result: JsonObject, schema: JsonObject | null, rules?: Rules): void => {
  const inspected = inspect(result, schema, rules);
  assert.deepEqual([inspected.outcome, inspected.result], ["unprojectable", null], JSON.stringify(result));
};

const PERSON = object({ ssn: string, id: { type: "integer" }, born: { type: "string", format: "date" }, note: string });

void describe("a result with redacted fields", () => {
  void it("is the schema's declared members without them, and its text is written anew from that", () => {
    const person = { ssn: SSN, id: 7, born: "1970-01-02", note: `it is ${SSN}` };
    assert.deepEqual(
      inspect(
        {
          content: [
            asText(person),
            { type: "text", text: `SSN ${SSN}`, _meta: { ssn: SSN } },
            { type: "image", data: "AA==", mimeType: "image/png" },
            { type: "resource", resource: { uri: `a:${SSN}`, text: SSN } },
          ],
          structuredContent: person,
          _meta: { ssn: SSN },
        },
        PERSON,
      ),
      {
        outcome: "redacted",
        result: { content: [asText({ id: 7, born: "1970-01-02" })], structuredContent: { id: 7, born: "1970-01-02" } },
        stripped: [],
        redacted: 5,
        withheld: 3,
      },
    );
  });

  void it("is withheld unless each of them is a declared member", () => {
    const value = { ssn: SSN, id: 7 };
    for (const [schema, fields] of [
      [object({ id: { type: "integer" } }), ["ssn"]],
      [PERSON, ["ssn", "salary"]],
      [PERSON, ["person.ssn"]],
      [{ type: "object" }, ["ssn"]],
      [{ type: "object", additionalProperties: { properties: { ssn: string } } }, ["ssn"]],
      [{ type: "object", patternProperties: { "^ssn$": string } }, ["ssn"]],
    ] as const)
      withheld({ content: [asText(value)], structuredContent: value }, { ...schema }, { fields });
    withheld({ content: [asText(value)], structuredContent: value }, null);
    assert.equal(inspect({ content: [], structuredContent: value }, PERSON, { fields: ["SSN"] }).outcome, "redacted");
  });

  void it("is withheld when it is no value that a schema describes", () => {
    for (const content of [
      [],
      [{ type: "text", text: `ssn: ${SSN}` }],
      [asText({ ssn: SSN }), asText({ ssn: SSN })],
      [{ type: "text", text: `{"ssn":"${SSN}","ssn":1}` }],
    ])
      withheld({ content }, null);
    for (const content of [
      [],
      [asText({ ssn: SSN }), asText({})],
      [asText([1])],
      [asText({ ssn: SSN, id: "seven" })],
    ]) {
      const inspected = inspect({ content }, PERSON, {}, true);
      assert.deepEqual([inspected.outcome, inspected.result], ["unprojectable", null], JSON.stringify(content));
    }
  });

  void it("is projected by the operator's schema where the server gives none, from one JSON text", () => {
    const { outcome, result } = inspect({ content: [asText({ ssn: SSN, id: 7, more: SSN })] }, PERSON, {}, true);
    assert.deepEqual([outcome, result], ["redacted", { content: [asText({ id: 7 })] }]);
    const open = inspectResult(
      { toolName: "t", inputSchema: {}, outputSchema: null, projectionSchema: PERSON },
      { content: [asText({ more: 1 })] },
      { maxBytes: 10_000, redactFields: [] },
    );
    assert.deepEqual(
      [open.outcome, open.result],
      ["pass", { content: [asText({ more: 1 })] }],
      "no rule, no projection",
    );
  });

  void it("that is a failure says only that", () => {
    const { outcome, result } = inspect({ content: [{ type: "text", text: `no ${SSN}` }], isError: true }, PERSON);
    assert.deepEqual([outcome, result], ["redacted", { content: [], isError: true }]);
  });

  void it("has no member that the schema does not type, and none of maps, tables or rows", () => {
    const any = { any: { note: SSN } };
    for (const [schema, value, left] of [
      [
        { columns: { type: "array", items: string }, rows: { type: "array", items: { type: "array", items: string } } },
        { columns: ["ssn"], rows: [[SSN]] },
        { columns: [], rows: [] },
      ],
      [
        { rows: { type: "array", items: { type: "array", items: { type: "integer" } } } },
        { rows: [[123456789]] },
        { rows: [] },
      ],
      [
        { pairs: { type: "array", items: object({ name: string, value: string }) } },
        { pairs: [{ name: "ssn", value: SSN }] },
        { pairs: [{}] },
      ],
      [{ map: { type: "object", additionalProperties: { type: "integer" } } }, { map: { [SSN]: 1 } }, {}],
      [{ map: { type: "object", patternProperties: { ".": { type: "integer" } } } }, { map: { [SSN]: 1 } }, {}],
      [
        { mixed: { ...object({ a: { type: "integer" } }), additionalProperties: { type: "integer" } } },
        { mixed: { a: 1, [SSN]: 2 } },
        { mixed: { a: 1 } },
      ],
      [{ open: { type: "object" } }, { open: any }, {}],
      [{ any: {} }, { any }, {}],
      [{ any: true }, { any: SSN }, {}],
      [{ any: {} }, { any: 5 }, {}],
      [{ any: {} }, { any: null }, {}],
      [{ any: {} }, { any: [true] }, {}],
      [{ nothing: object({}) }, { nothing: { a: 1 } }, {}],
      [{ csv: string }, { csv: `name,ssn\nx,${SSN}` }, {}],
      [{ words: { type: "string", pattern: "^[0-9-]*$" } }, { words: SSN }, {}],
      [{ link: { type: "string", format: "uri" } }, { link: `https://a.example/?ssn=${SSN}` }, {}],
    ] as readonly (readonly [JsonObject, JsonObject, JsonObject])[])
      assert.deepEqual(structured(value, object({ ssn: string, ...schema })), left, JSON.stringify(schema));
  });

  void it("loses them at any depth, through references, arrays and alternatives", () => {
    const schema: JsonObject = {
      ...object({
        ssn: string,
        kind: { const: "p" },
        list: { type: "array", items: { $ref: "#/$defs/p" } },
        one: { anyOf: [{ $ref: "#/$defs/p" }, { type: "null" }] },
      }),
      $defs: { p: object({ ssn: string, n: { type: "integer" }, inner: { $ref: "#/$defs/p" } }) },
    };
    assert.deepEqual(
      structured(
        {
          ssn: SSN,
          kind: "p",
          list: [{ ssn: SSN, n: 1, inner: { SSN, ssn: SSN, n: 2 } }, [SSN]],
          one: { ssn: SSN, n: 3 },
        },
        {
          ...schema,
          properties: {
            ...(schema["properties"] as JsonObject),
            list: { type: "array", items: { anyOf: [{ $ref: "#/$defs/p" }, { type: "array" }] } },
          },
        },
      ),
      { kind: "p", list: [{ n: 1, inner: { n: 2 } }], one: { n: 3 } },
    );
    assert.deepEqual(
      structured(
        { patient: { ssn: SSN }, ssn: 1 },
        object({ patient: object({ ssn: string }), ssn: { type: "integer" } }),
        { fields: ["patient.ssn"] },
      ),
      { patient: {}, ssn: 1 },
      "a dotted rule names one place",
    );
  });

  void it("keeps a member of a failing alternative out", () => {
    const of = (kind: string, more: JsonObject): JsonObject => ({
      properties: { kind: { const: kind }, ...more },
      required: ["kind"],
    });
    const schema = {
      type: "object",
      properties: { ssn: string },
      oneOf: [of("a", { n: { type: "integer" } }), of("b", {})],
    };
    assert.deepEqual(structured({ kind: "a", n: 1 }, schema), { kind: "a", n: 1 });
    assert.deepEqual(structured({ kind: "b", n: 1 }, schema), { kind: "b" });
  });
});

void describe("free text", () => {
  const kept = (note: string, value: JsonValue = SSN): JsonValue | undefined =>
    structured({ ssn: value, note }, object({ ssn: { type: ["string", "integer"] }, note: string }), {
      keep: ["note"],
    });

  void it("stays where the rule keeps it, or where it is one of a closed list or a date, an address or an id", () => {
    assert.deepEqual(kept("all well"), { note: "all well" });
    assert.deepEqual(structured({ ssn: SSN, note: "all well" }, PERSON), {});
    assert.deepEqual(
      structured(
        { ssn: SSN, a: { note: "x" }, note: "y" },
        object({ ssn: string, note: string, a: object({ note: string }) }),
        { keep: ["a.note"] },
      ),
      { a: { note: "x" } },
    );
    for (const [schema, text] of [
      [{ enum: ["new", "old"] }, "new"],
      [{ const: "fixed" }, "fixed"],
      [{ type: "string", format: "date" }, "2026-01-01"],
      [{ type: "string", format: "time" }, "10:00:00Z"],
      [{ type: "string", format: "date-time" }, "2026-01-01T10:00:00Z"],
      [{ type: "string", format: "uuid" }, "123e4567-e89b-12d3-a456-426614174000"],
      [{ type: "string", format: "ipv4" }, "10.0.0.1"],
      [{ type: "string", format: "ipv6" }, "::1"],
    ] as const)
      assert.deepEqual(structured({ x: text, ssn: "none" }, object({ ssn: string, x: { ...schema } as JsonObject })), {
        x: text,
      });
  });

  void it("that is kept does not repeat a redacted value, however it is written", () => {
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    for (const note of [
      `it is ${SSN}.`,
      "it is 123 45 6789",
      "123456789",
      "1.2.3.4.5.6.7.8.9",
      "9876-54-321",
      "9-8-7-6-5-4-3-2-1",
      "１２３-４５-６７８９",
      `see ${base64(SSN)}`,
      base64(`x${SSN}`),
      base64(`xy${SSN}z`),
      base64(`{"a":"${SSN}"}`).replaceAll("=", ""),
      base64("123456789"),
      Buffer.from(SSN).toString("hex"),
      Buffer.from("123456789").toString("hex").toUpperCase(),
      Array.from(Buffer.from(SSN), (byte) => byte.toString(16)).join(":"),
      Array.from(SSN, (one) => `%${one.charCodeAt(0).toString(16)}`).join(""),
      SSN.replace("2", "%32"),
      Array.from(SSN, (one) => `\\u00${one.charCodeAt(0).toString(16)}`).join(""),
      Array.from(SSN, (one) => `&#${one.charCodeAt(0)};`).join(""),
      Array.from(SSN, (one) => `&#x${one.charCodeAt(0).toString(16)};`).join(""),
      `name,ssn\nx,${SSN}`,
    ])
      assert.deepEqual(kept(note), {}, note);
    assert.deepEqual(kept("SECRET-VALUE", "secret value"), {});
    assert.deepEqual(kept("n 987654", 987654), {}, "a number");
    assert.deepEqual(kept("the word", "word"), { note: "the word" }, "a short value stands in too many places");
    assert.equal(MIN_REPEATED_LENGTH, 6);
  });

  void it("that is kept does not state a redacted field, however short its value", () => {
    for (const note of ["ssn: 12", "SSN=12", '{"ssn":12}', "a|ssn|b", "ssn,name"])
      assert.deepEqual(kept(note, "12"), {}, note);
    assert.deepEqual(kept("assn: 12; the ssn is gone", "12"), { note: "assn: 12; the ssn is gone" });
  });

  void it("and numbers that repeat a redacted value go from where the schema puts them", () => {
    const schema = object({ ssn: string, n: { type: "integer" }, id: { type: "string", format: "uuid" } });
    assert.deepEqual(structured({ ssn: SSN, n: 123456789, id: "00000000-0000-0000-0001-234567890000" }, schema), {});
    assert.deepEqual(structured({ ssn: SSN, n: 12 }, schema), { n: 12 });
  });

  void it("that would take too long to compare is removed", () => {
    const schema = object({ ssn: { type: "array", items: string }, note: string });
    const many = Array.from({ length: 5_000 }, (_, index) => `secret-number-${index}`);
    assert.deepEqual(structured({ ssn: many, note: "innocent" }, schema, { keep: ["note"] }), {});
    const some = many.slice(0, 150);
    assert.deepEqual(structured({ ssn: some, note: "innocent" }, schema, { keep: ["note"] }), { note: "innocent" });
    assert.deepEqual(structured({ ssn: some, note: "x".repeat(9_000_000) }, schema, { keep: ["note"] }), {});
  });
});

void it("property: whatever the result and the schema, nothing of a redacted value is delivered without a rule that keeps text", () => {
  const SECRET = "4111222233334444";
  const leaf = fc.constantFrom<JsonValue>(SECRET, `x ${SECRET}`, Number(SECRET), "word", 5, true, null, [[SECRET]], {
    [SECRET]: SECRET,
  });
  const { value } = fc.letrec<{ value: JsonValue; members: JsonObject }>((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("value"), { maxLength: 3 }), tie("members")),
    members: fc.dictionary(fc.constantFrom("a", "b", "card", "rows"), tie("value"), { noNullPrototype: true }),
  }));
  const { schema } = fc.letrec<{ schema: JsonValue }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<JsonValue>(
        {},
        true,
        { type: "string" },
        { type: ["string", "number", "boolean", "null", "array", "object"] },
        { type: "object" },
      ),
      fc.record({ items: tie("schema") }, { noNullPrototype: true }),
      fc.record({ additionalProperties: tie("schema") }, { noNullPrototype: true }),
      fc.array(tie("schema"), { minLength: 1, maxLength: 2 }).map((anyOf) => ({ anyOf })),
      fc
        .dictionary(fc.constantFrom("a", "b", "card", "rows"), tie("schema"), { noNullPrototype: true })
        .map((properties) => ({ properties })),
    ),
  }));
  let delivered = 0;
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("a", "b", "rows"), value, { noNullPrototype: true }),
      schema,
      (members, inner) => {
        const result = { ...members, card: SECRET };
        const output = { anyOf: [object({ card: {}, a: inner, b: inner, rows: inner }), {}] };
        const inspected = inspect({ content: [asText(result)], structuredContent: result }, output, {
          fields: ["card"],
        });
        const told = JSON.stringify(inspected.result);
        assert.equal(told.includes(SECRET) || told.includes("card"), false, told);
        if (inspected.result !== null && told.length > 80) delivered += 1;
      },
    ),
    { numRuns: 1000 },
  );
  assert.ok(delivered > 20, `${delivered} delivered something`);
});
