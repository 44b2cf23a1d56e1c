import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { inspectResult, MIN_ECHO_LENGTH, type InspectedResult } from "./index.ts";

const redact = (result: JsonObject, ...redactFields: string[]): InspectedResult =>
  inspectResult({ toolName: "t", inputSchema: {}, outputSchema: null }, result, { maxBytes: 10_000_000, redactFields });
const structured = (value: JsonObject, ...fields: string[]): JsonValue | undefined =>
  redact({ structuredContent: value }, ...fields).result?.["structuredContent"];
const text = (value: JsonValue): JsonObject => ({
  type: "text",
  text: typeof value === "string" ? value : JSON.stringify(value),
});

void describe("redaction by name", () => {
  void it("takes the field out at any depth, whatever its case, and counts", () => {
    const inspected = redact(
      { structuredContent: { ssn: 1, a: { SSN: { deep: 1 }, b: [{ ssn: [] }, { keep: 1 }] } } },
      "ssn",
    );
    assert.deepEqual(inspected, {
      outcome: "pass",
      result: { structuredContent: { a: { b: [{}, { keep: 1 }] } } },
      stripped: [],
      redacted: 3,
      withheld: 0,
    });
  });

  void it("takes it out of JSON texts the same way and keeps the rest of the text's spelling", () => {
    const inspected = redact(
      {
        content: [text({ ssn: 1, a: 2 }), text('{ "a" : 1 }'), text([{ ssn: 1 }])],
        structuredContent: { ssn: 1, a: 2 },
      },
      "ssn",
    );
    assert.deepEqual(inspected.result, {
      content: [text({ a: 2 }), text('{ "a" : 1 }'), text([{}])],
      structuredContent: { a: 2 },
    });
  });

  void it("does not match part of a name", () => {
    const value = { ssn_hint: 1, lossn: 2 };
    assert.deepEqual(structured(value, "ssn"), value);
  });
});

void describe("redaction by path", () => {
  void it("takes out only fields whose path ends with it, through arrays", () => {
    const value = { patient: { id: 1, ssn: 2 }, doctor: { ssn: 3 }, list: [{ patient: { ssn: 4 } }] };
    assert.deepEqual(structured(value, "patient.ssn"), {
      patient: { id: 1 },
      doctor: { ssn: 3 },
      list: [{ patient: {} }],
    });
  });

  void it("understands brackets and a root sign as more, not as nothing", () => {
    for (const rule of ["list[].ssn", "list[0].ssn", "$.list[*].ssn", " list.ssn "])
      assert.deepEqual(structured({ list: [{ ssn: 1, a: 1 }] }, rule), { list: [{ a: 1 }] }, rule);
  });

  void it("matches a name that itself holds dots", () => {
    assert.deepEqual(structured({ "a.b": 1, a: { b: 2, c: 3 } }, "a.b"), { a: { c: 3 } });
  });
});

void describe("what cannot be redacted by field", () => {
  void it("is withheld and said so", () => {
    const blocks = [
      text("ssn is 123"),
      text("123456"),
      text('"x"'),
      text('{"ssn":1,"ssn":2}'),
      text('{"a":1} trailing'),
      { type: "image", data: "AA==", mimeType: "image/png" },
      { type: "resource", resource: { uri: "f:x", text: '{"ssn":1}' } },
      { type: "resource_link", uri: "f:x", name: "x" },
    ];
    const inspected = redact({ content: [...blocks, text({ a: 1 })], _meta: { note: "ssn" }, isError: true }, "ssn");
    assert.deepEqual(inspected.result, { content: [text({ a: 1 })], isError: true });
    assert.equal(inspected.withheld, blocks.length);
    assert.equal(inspected.redacted, blocks.length + 1);
  });

  void it("leaves nothing of a text block but its text", () => {
    assert.deepEqual(
      redact({ content: [{ ...text({ a: 1 }), _meta: { ssn: 1 }, annotations: { note: "ssn" } }] }, "ssn").result,
      { content: [text({ a: 1 })] },
    );
  });

  void it("is redacted inside texts of structured data when they are JSON, else goes when it names the field", () => {
    const inner = (value: JsonValue): string => JSON.stringify(value);
    assert.deepEqual(structured({ a: inner({ ssn: 1, b: 2 }), c: inner({ d: inner({ ssn: 1 }) }) }, "ssn"), {
      a: inner({ b: 2 }),
      c: inner({ d: "{}" }),
    });
    assert.deepEqual(structured({ a: inner(inner({ ssn: 1, b: 2 })), c: '{"ssn":NaN}', d: '{"x":"\\ud800"}' }, "ssn"), {
      a: inner(inner({ b: 2 })),
    });
    assert.deepEqual(
      structured(
        { a: "the SSN: 1", b: '{"ssn" : 1', c: "ssn=1", d: "about ssn", e: '{"x":1,"x":2}', f: "lossn: 1" },
        "ssn",
      ),
      { d: "about ssn", f: "lossn: 1" },
    );
    let deep: JsonValue = { ssn: 1 };
    for (let level = 0; level < 8; level += 1) deep = { x: inner(deep) };
    assert.equal(inner(structured(deep, "ssn") ?? null).includes("ssn"), false);
    const nested = (levels: number): JsonObject => (levels === 0 ? { a: 1 } : { x: inner(nested(levels - 1)) });
    assert.deepEqual(structured(nested(4), "ssn"), nested(4));
    assert.notDeepEqual(structured(nested(5), "ssn"), nested(5));
  });
});

void describe("values of redacted fields", () => {
  void it("go wherever they are repeated, in texts, numbers, names and other blocks", () => {
    const secret = "123-45-6789";
    const inspected = redact(
      {
        content: [text({ note: `call about ${secret}`, ok: 1 }), text({ ssn: "222-22-2222" })],
        structuredContent: {
          ssn: [secret, { n: 1234567 }],
          copy: secret,
          [secret]: 1,
          list: ["a", secret, "b"],
          number: 1234567,
          other: "222-22-2222",
          fine: "123-45",
        },
      },
      "ssn",
    );
    assert.deepEqual(inspected.result, {
      content: [text({ ok: 1 }), text({})],
      structuredContent: { list: ["a", "b"], fine: "123-45" },
    });
  });

  void it("go as well when the field itself left with what the schema does not declare", () => {
    const result = { structuredContent: { a: "is 123-45-6789", ssn: "123-45-6789" } };
    const inspected = inspectResult(
      { toolName: "t", inputSchema: {}, outputSchema: { properties: { a: {} } } },
      result,
      { maxBytes: 1000, redactFields: ["ssn"] },
    );
    assert.deepEqual(inspected.result, { structuredContent: {} });
  });

  void it("are not looked for when so short that they stand anywhere by chance", () => {
    const short = "x".repeat(MIN_ECHO_LENGTH - 1);
    assert.deepEqual(structured({ ssn: short, a: `${short}y` }, "ssn"), { a: `${short}y` });
    assert.deepEqual(structured({ ssn: `${short}y`, a: `${short}y` }, "ssn"), {});
  });

  void it("built to take long to find keep the result from being delivered", () => {
    const ssn = Array.from({ length: 3000 }, (_, index) => `${"a".repeat(200)}${index}`);
    assert.deepEqual(redact({ structuredContent: { ssn, filler: "a".repeat(3000) } }, "ssn"), {
      outcome: "size_exceeded",
      result: null,
      stripped: [],
      redacted: 0,
      withheld: 0,
    });
  });
});
