import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { inspectResult, type InspectedResult } from "../index.ts";

const SSN = "123-45-6789";
const string: JsonObject = { type: "string" };
const object = (properties: JsonObject): JsonObject => ({ type: "object", properties });
const asText = (value: JsonValue): JsonObject => ({ type: "text", text: JSON.stringify(value) });

/** A result whose `ssn` goes and whose `note` stays, unless it repeats the former. */
function inspect(result: JsonObject, outputSchema: JsonObject): InspectedResult {
  const rules = { maxBytes: 10_000, redactFields: ["ssn"], keepFields: ["note"] };
  return inspectResult({ toolName: "t", inputSchema: {}, outputSchema }, result, rules);
}

const DEEP = object({
  a: object({ b: { type: "array", items: object({ ssn: string }) } }),
  ssn: string,
  note: string,
});

test("text that is kept repeats no redacted value of any depth, nor one that the result has in its text alone", () => {
  const note = `it is ${SSN}`;
  const left = (value: JsonObject, content: readonly JsonObject[] = []): JsonValue | undefined =>
    inspect({ content: [...content], structuredContent: value }, DEEP).result?.["structuredContent"];
  for (const [value, projected] of [
    [{ a: { b: [{ ssn: SSN }] } }, { a: { b: [{}] } }],
    [{ ssn: SSN }, {}],
  ] as readonly (readonly [JsonObject, JsonObject])[]) {
    assert.deepEqual(left({ ...value, note }), projected);
    assert.deepEqual(left({ ...value, note: "all well" }), { ...projected, note: "all well" });
    assert.deepEqual(left({ note }, [asText(value)]), {});
    assert.deepEqual(left({ note: "all well" }, [asText(value)]), { note: "all well" });
  }
});

test("numbers of characters that there are not are left as they stand", () => {
  for (const written of ["&#x110000;", "&#xffffff;", "&#1114112;", "\\u{110000}", "&#x10ffff; \\u{10ffff}"]) {
    const value = { note: `all well ${written}` };
    const { result } = inspect({ content: [], structuredContent: { ssn: SSN, ...value } }, DEEP);
    assert.deepEqual(result?.["structuredContent"], value, written);
  }
});

test("what is left out is counted: members, texts, and content blocks but the one that is written", () => {
  const image = { type: "image", data: "AA==", mimeType: "image/png" };
  const value = { ssn: SSN, note: "all well" };
  for (const [content, withheld] of [
    [[], 0],
    [[asText(value)], 0],
    [[asText(value), image], 1],
    [[asText(value), image, image], 2],
  ] as readonly (readonly [JsonObject[], number])[]) {
    const inspected = inspect({ content, structuredContent: value }, DEEP);
    assert.deepEqual(
      [inspected.outcome, inspected.redacted, inspected.withheld],
      ["redacted", 1 + withheld, withheld],
      JSON.stringify(content),
    );
    const failure = inspect({ content, isError: true }, DEEP);
    assert.deepEqual([failure.result, failure.redacted], [{ content: [], isError: true }, content.length]);
  }
  const tool = { toolName: "t", inputSchema: {}, outputSchema: null, projectionSchema: DEEP };
  const undeclared = { content: [asText({ ...value, more: 1 })] };
  const rules = { maxBytes: 10_000, redactFields: ["ssn"], keepFields: ["note"] };
  assert.deepEqual(inspectResult(tool, undeclared, rules), {
    outcome: "redacted",
    result: { content: [asText({ note: "all well" })] },
    stripped: [],
    redacted: 2,
    withheld: 0,
  });
});

test("a result that says that it is no failure says so still", () => {
  const value = { note: "all well" };
  for (const more of [{}, { isError: false }])
    assert.deepEqual(inspect({ content: [], structuredContent: value, ...more }, DEEP).result, {
      content: [asText(value)],
      structuredContent: value,
      ...more,
    });
});
