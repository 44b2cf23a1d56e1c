import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { inspectResult, MIN_REPEATED_LENGTH, type InspectedResult } from "./index.ts";

const NAMES = ["a", "b", "ssn", "SSN", "nested", "_cmcp", "_meta", "receipt"] as const;
const SECRET = "the-secret-value";

/** Data in which fields called ssn hold, and others sometimes repeat, one value. */
const data = fc.letrec<{ v: JsonValue; o: JsonObject }>((tie) => ({
  v: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<JsonValue>(
      null,
      true,
      0,
      1,
      "x",
      "plain text",
      SECRET,
      `see ${SECRET}`,
      JSON.stringify({ ssn: SECRET, a: 1 }),
      `ssn: ${SECRET}`,
    ),
    fc.array(tie("v"), { maxLength: 3 }),
    tie("o"),
  ),
  o: fc
    .dictionary(fc.constantFrom(...NAMES), tie("v"), { maxKeys: 4, noNullPrototype: true })
    .map((object) => ("ssn" in object ? { ...object, ssn: SECRET } : object)),
}));
const block = fc.oneof(
  data.v.map((value) => ({ type: "text", text: JSON.stringify(value) })),
  fc.constantFrom<JsonObject>(
    { type: "text", text: `my ssn is ${SECRET}` },
    { type: "text", text: `{"ssn":"${SECRET}","ssn":1}` },
    { type: "text", text: `{"_cmcp":1,"_cmcp":"${SECRET}"}` },
    { type: "resource", resource: { uri: "a:", text: `{"_cmcp":1,"a":"${SECRET}"}` } },
    { type: "image", data: "AA==", mimeType: "image/png" },
  ),
);
const anyResult: fc.Arbitrary<JsonObject> = fc.record(
  {
    content: fc.array(block, { maxLength: 3 }),
    structuredContent: data.o,
    isError: fc.boolean(),
    _meta: data.o,
    surplus: data.v,
  },
  { requiredKeys: ["content"], noNullPrototype: true },
);
const outputSchema = fc.constantFrom<JsonObject | null>(
  null,
  { type: "object" },
  { properties: { a: {}, nested: { $ref: "#" }, ssn: {} } },
  {
    properties: { a: { type: "string" }, b: { type: "array", items: { properties: { a: {} } } } },
    additionalProperties: false,
  },
);
const rules = fc.subarray(["ssn", "nested.a", "b"]);

/** Whether a text is another, or empty, or JSON that can be had from the other's JSON by leaving things out. */
function isTextWithin(part: string, whole: string): boolean {
  if (part === whole || part === "") return true;
  try {
    return isWithin(JSON.parse(part) as JsonValue, JSON.parse(whole) as JsonValue);
  } catch {
    return false;
  }
}

/** Whether `part` can be had from `whole` by leaving things out. */
function isWithin(part: JsonValue, whole: JsonValue): boolean {
  if (Array.isArray(part) && Array.isArray(whole)) {
    let at = 0;
    return part.every((item) => {
      while (at < whole.length && !isWithin(item, whole[at] ?? null)) at += 1;
      at += 1;
      return at <= whole.length;
    });
  }
  if (isJsonObject(part) && isJsonObject(whole))
    return Object.entries(part).every(
      ([name, member]) => Object.hasOwn(whole, name) && isWithin(member, whole[name] ?? null),
    );
  return typeof part === "string" && typeof whole === "string" ? isTextWithin(part, whole) : part === whole;
}

const inspect = (schema: JsonObject | null, result: JsonObject, redactFields: readonly string[]): InspectedResult =>
  inspectResult({ toolName: "t", inputSchema: {}, outputSchema: schema }, result, {
    maxBytes: 1_000_000,
    redactFields,
  });

void describe("whatever a tool returns", () => {
  void it("is delivered only in part or whole, and the input is left as it was", () => {
    fc.assert(
      fc.property(outputSchema, anyResult, rules, (schema, result, fields) => {
        const before = structuredClone(result);
        const inspected = inspect(schema, result, fields);
        assert.deepEqual(result, before);
        if (inspected.result === null) return;
        const { _meta: _, ...own } = before;
        if (fields.length > 0) {
          assert.equal(inspected.outcome, "redacted");
          const { structuredContent = null } = inspected.result;
          if (structuredContent !== null)
            assert.ok(
              isWithin(structuredContent, before["structuredContent"] ?? null),
              JSON.stringify([before, inspected.result]),
            );
          return;
        }
        assert.ok(isWithin(inspected.result, own), JSON.stringify([before, inspected.result]));
        assert.equal(inspected.outcome === "pass", isDeepStrictEqual(inspected.result, own));
      }),
      { numRuns: 1000 },
    );
  });

  void it("holds nothing of a redacted field, its name as a field or its value anywhere", () => {
    assert.ok(SECRET.length >= MIN_REPEATED_LENGTH);
    fc.assert(
      fc.property(outputSchema, anyResult, (schema, result) => {
        const delivered = JSON.stringify(
          inspect(schema, { ...result, structuredContent: { a: result["structuredContent"] ?? "x", ssn: SECRET } }, [
            "ssn",
          ]).result,
        );
        assert.doesNotMatch(delivered, /ssn\\*"\s*:/i);
        assert.equal(delivered.includes(SECRET), false);
      }),
      { numRuns: 1000 },
    );
  });

  void it("is not changed by inspecting it again", () => {
    fc.assert(
      fc.property(outputSchema, anyResult, rules, (schema, result, fields) => {
        const once = inspect(schema, result, fields).result;
        if (once === null) return;
        const twice = inspect(schema, once, fields);
        // Redaction may take out what the schema requires; then the second look refuses.
        if (fields.length > 0 && twice.result === null) return;
        const outcome = fields.length > 0 ? "redacted" : "pass";
        assert.deepEqual([twice.outcome, twice.result, twice.stripped], [outcome, once, []]);
      }),
      { numRuns: 1000 },
    );
  });

  void it("keeps text and structured content equal where they were", () => {
    fc.assert(
      fc.property(outputSchema, data.o, rules, (schema, value, fields) => {
        const { result } = inspect(
          schema,
          { content: [{ type: "text", text: JSON.stringify(value) }], structuredContent: value },
          fields,
        );
        if (result === null) return;
        const [first] = Array.isArray(result["content"]) ? result["content"] : [];
        assert.ok(isJsonObject(first) && typeof first["text"] === "string");
        assert.deepEqual(JSON.parse(first["text"]), result["structuredContent"]);
      }),
      { numRuns: 1000 },
    );
  });
});
