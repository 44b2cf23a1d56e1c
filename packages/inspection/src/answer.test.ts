import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { inspectAnswer, type AnsweredMethod } from "./index.ts";

const open = { maxBytes: 10_000, redactFields: [] };
const WHOLE: Readonly<Record<AnsweredMethod, JsonObject>> = {
  "resources/read": {
    contents: [
      { uri: "file:///a", text: "hello" },
      { uri: "file:///b", blob: "AA==", mimeType: "image/png" },
    ],
    ttlMs: 5,
    cacheScope: "public",
  },
  "prompts/get": {
    description: "d",
    messages: [
      { role: "user", content: { type: "text", text: "hi" } },
      { role: "assistant", content: { type: "image", data: "AA==", mimeType: "image/png" } },
    ],
  },
  "completion/complete": { completion: { values: ["paris", "park"], total: 2, hasMore: false } },
};

for (const [method, result] of Object.entries(WHOLE) as [AnsweredMethod, JsonObject][]) {
  test(`${method}: what the protocol gives passes as it is, and nothing else with it`, () => {
    assert.deepEqual(inspectAnswer(method, result, open), {
      outcome: "pass",
      result,
      stripped: [],
      redacted: 0,
      withheld: 0,
    });
    const posing = inspectAnswer(
      method,
      { ...result, _cmcp: { receipt: "x" }, claim: 1, _meta: { "cmcp.gateway/receipt": {}, kept: 1 } },
      open,
    );
    assert.deepEqual([posing.outcome, posing.result], ["surplus_stripped", { ...result, _meta: { kept: 1 } }]);
  });

  test(`${method}: what is too large or of another shape is withheld`, () => {
    assert.equal(inspectAnswer(method, result, { ...open, maxBytes: 10 }).outcome, "size_exceeded");
    for (const wrong of [
      {},
      { content: [] },
      { contents: [{ uri: "a" }] },
      { messages: [{ role: "system", content: { type: "text", text: "" } }] },
      { messages: [{ role: "user", content: "text" }] },
      { completion: { values: [1] } },
      { completion: { values: Array.from({ length: 101 }, () => "x") } },
    ]) {
      const { outcome, result: delivered } = inspectAnswer(method, wrong, open);
      assert.deepEqual([outcome, delivered], ["schema_violation", null]);
    }
  });
}

test("what a modern server says of caching is the protocol's where it conforms, and surplus anywhere else", () => {
  const contents = [{ uri: "file:///a", text: "hello" }];
  for (const caching of [
    { ttlMs: 0, cacheScope: "private" },
    { ttlMs: 60_000, cacheScope: "public" },
  ])
    assert.equal(inspectAnswer("resources/read", { contents, ...caching }, open).outcome, "pass");
  for (const wrong of [
    { ttlMs: -1 },
    { ttlMs: 0.5 },
    { ttlMs: "5" },
    { ttlMs: 2 ** 53 },
    { cacheScope: "shared" },
    { cacheScope: { a: 1 } },
  ]) {
    assert.deepEqual(inspectAnswer("resources/read", { contents, ...wrong }, open), {
      outcome: "surplus_stripped",
      result: { contents },
      stripped: Object.keys(wrong),
      redacted: 0,
      withheld: 0,
    });
  }
  assert.deepEqual(inspectAnswer("prompts/get", { messages: [], ttlMs: 0, cacheScope: "private" }, open).stripped, [
    "ttlMs",
    "cacheScope",
  ]);
});

test("fields that policy wants out leave texts, and what they cannot be told in goes whole", () => {
  const options = { ...open, redactFields: ["ssn"] };
  const read = inspectAnswer(
    "resources/read",
    {
      contents: [
        { uri: "file:///a", text: '{"name":"n","ssn":"123-45-6789"}' },
        { uri: "file:///b", blob: "AA==" },
        { uri: "file:///c", text: "ssn is 123" },
      ],
    },
    options,
  );
  assert.deepEqual(read.result, { contents: [{ uri: "file:///a", text: '{"name":"n"}' }] });
  assert.ok(read.redacted >= 3);
  const prompt = inspectAnswer(
    "prompts/get",
    {
      messages: [
        { role: "user", content: { type: "text", text: '{"ssn":"123-45-6789","a":1}' } },
        { role: "user", content: { type: "image", data: "AA==" } },
      ],
    },
    options,
  );
  assert.deepEqual(prompt.result, { messages: [{ role: "user", content: { type: "text", text: '{"a":1}' } }] });
  const completion = inspectAnswer("completion/complete", { completion: { values: ["fine"] } }, options);
  assert.deepEqual(completion.result, { completion: { values: [] } });
});
