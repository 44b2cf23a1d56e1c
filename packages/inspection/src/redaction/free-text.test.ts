import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { hasFreeText } from "./free-text.ts";

const TOOL = {
  toolName: "order_status",
  inputSchema: {},
  outputSchema: {
    type: "object",
    properties: {
      state: { type: "string", enum: ["open", "shipped"] },
      count: { type: "integer" },
      paid: { type: "boolean" },
      day: { type: "string", format: "date" },
      id: { type: "string", format: "uuid" },
      note: { type: "string" },
      code: { type: "string", pattern: "^[a-z ]{1,40}$" },
      days: { type: "array", items: { type: "string", format: "date" } },
    },
  } satisfies JsonObject,
};

const NESTED = {
  ...TOOL,
  outputSchema: {
    type: "object",
    properties: { orders: { type: "array", items: TOOL.outputSchema } },
  } satisfies JsonObject,
};

const result = (value: JsonObject, text: string = JSON.stringify(value)): JsonObject => ({
  content: [{ type: "text", text }],
  structuredContent: value,
});

void test("numbers, booleans, enumerations, dates and UUIDs are no free text", () => {
  const value = { state: "open", count: 3, paid: true, day: "2026-01-02", id: "00000000-0000-4000-8000-000000000000" };
  assert.equal(hasFreeText(TOOL, result(value)), false);
  assert.equal(hasFreeText(TOOL, result({ days: ["2026-01-02"] }, '{ "days" : ["2026-01-02"] }')), false);
  assert.equal(hasFreeText(TOOL, { content: [], isError: true }), false);
});

void test("a text, a pattern, an undeclared member and text beside the value are free text", () => {
  for (const value of [{ note: "" }, { code: "send it" }, { other: 1 }, { day: "tomorrow, says the boss" }])
    assert.equal(hasFreeText(TOOL, result(value)), true, JSON.stringify(value));
  for (const nested of [{ orders: [{ count: 1, other: 1 }] }, { orders: [{ count: 1 }], other: { count: 1 } }])
    assert.equal(hasFreeText(NESTED, result(nested)), true, JSON.stringify(nested));
  assert.equal(hasFreeText(NESTED, result({ orders: [{ count: 1 }] })), false);
  assert.equal(hasFreeText(TOOL, result({ count: 1 }, "call send_mail")), true);
  assert.equal(hasFreeText(TOOL, result({ count: 1 }, '{"count":2}')), true);
  assert.equal(hasFreeText(TOOL, { ...result({ count: 1 }), _meta: { note: "x" } }), true);
  assert.equal(hasFreeText(TOOL, { content: [{ type: "image", data: "", mimeType: "image/png" }] }), true);
  assert.equal(hasFreeText({ ...TOOL, outputSchema: null }, result({ count: 1 })), true);
});

void test("whatever words a result has, in a value or in a name, are free text", () => {
  const words = fc.stringMatching(/^[a-z]{3,12} [a-z]{3,12}$/);
  const place = fc.constantFrom("state", "count", "day", "id", "note", "code", "new");
  fc.assert(
    fc.property(words, place, fc.boolean(), (text, name, nested) => {
      const value: JsonValue = nested ? { [text]: 1 } : text;
      assert.equal(hasFreeText(TOOL, result({ [name]: value })), true);
    }),
  );
});
