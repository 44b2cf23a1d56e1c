import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { inspectAnswer, type AnsweredRequest } from "./index.ts";

const open = { maxBytes: 10_000, redactFields: [] };
const RESOURCE: AnsweredRequest = { method: "resources/read", uri: "file:///a" };
const PROMPT: AnsweredRequest = { method: "prompts/get" };
const COMPLETION: AnsweredRequest = { method: "completion/complete" };

const WHOLE: readonly (readonly [AnsweredRequest, JsonObject])[] = [
  [
    RESOURCE,
    {
      contents: [
        { uri: "file:///a", text: "hello" },
        { uri: "file:///a", blob: "AA==", mimeType: "image/png" },
      ],
      ttlMs: 5,
      cacheScope: "public",
    },
  ],
  [
    PROMPT,
    {
      messages: [
        { role: "user", content: { type: "text", text: "hi", annotations: { audience: ["user"], priority: 0.5 } } },
        { role: "assistant", content: { type: "image", data: "AA==", mimeType: "image/png" } },
        { role: "user", content: { type: "audio", data: "AA==", mimeType: "audio/wav" } },
        {
          role: "user",
          content: { type: "resource", resource: { uri: "file:///b", text: "b", mimeType: "text/plain" } },
        },
        {
          role: "user",
          content: {
            type: "resource_link",
            uri: "file:///b",
            name: "b",
            title: "B",
            description: "d",
            mimeType: "a/b",
            size: 1,
          },
        },
      ],
      description: "d",
    },
  ],
  [COMPLETION, { completion: { values: ["paris", "park"], total: 2, hasMore: false } }],
];

for (const [asked, result] of WHOLE) {
  test(`${asked.method}: what the protocol gives passes as it is, and nothing else with it`, () => {
    const passed = { outcome: "pass", result, stripped: [], redacted: 0, withheld: 0 };
    assert.deepEqual(inspectAnswer(asked, result, open), passed);
    assert.deepEqual(inspectAnswer(asked, { ...result, _meta: { "cmcp.gateway/receipt": {}, more: 1 } }, open), passed);
    const posing = inspectAnswer(asked, { ...result, _cmcp: { receipt: "x" }, claim: 1, _Meta: { a: 1 } }, open);
    assert.deepEqual([posing.outcome, posing.result], ["surplus_stripped", result]);
    assert.deepEqual(posing.stripped.toSorted(), ["_Meta", "_cmcp", "claim"]);
  });

  test(`${asked.method}: what is too large or of another shape is withheld`, () => {
    assert.equal(inspectAnswer(asked, result, { ...open, maxBytes: 10 }).outcome, "size_exceeded");
    for (const wrong of [
      {},
      { content: [] },
      { contents: [{ uri: "file:///a" }] },
      { contents: [{ uri: "file:///a", blob: "not base64" }] },
      { messages: [{ role: "system", content: { type: "text", text: "" } }] },
      { messages: [{ role: "user", content: "text" }] },
      { messages: [{ role: "user", content: [{ type: "text", text: "" }] }] },
      { completion: { values: [1] } },
      { completion: { values: Array.from({ length: 101 }, () => "x") } },
      { ...result, resultType: "task" },
    ]) {
      const { outcome, result: delivered } = inspectAnswer(asked, wrong, open);
      assert.deepEqual([outcome, delivered], ["schema_violation", null], JSON.stringify(wrong));
    }
  });

  test(`${asked.method}: nothing is delivered where fields are redacted, as no schema tells them apart`, () => {
    const { outcome, result: delivered } = inspectAnswer(asked, result, { ...open, redactFields: ["ssn"] });
    assert.deepEqual([outcome, delivered], ["unprojectable", null]);
  });
}

test("a resource has the URI that was asked for, in each of its parts", () => {
  for (const uri of ["file:///b", "file:///a/", "file:///a/b", "FILE:///a", "file:///%61", " file:///a", ""]) {
    for (const contents of [
      [{ uri, text: "x" }],
      [
        { uri: "file:///a", text: "x" },
        { uri, text: "x" },
      ],
    ]) {
      const { outcome, result } = inspectAnswer(RESOURCE, { contents }, open);
      assert.deepEqual([outcome, result], ["schema_violation", null], uri);
    }
  }
});

test("members beside a part's own do not pass, at any depth", () => {
  const extra = { _meta: { ssn: "1" }, note: "ssn: 1", title: { ssn: 1 } };
  const part = { uri: "file:///a", text: "x", ...extra };
  assert.deepEqual(inspectAnswer(RESOURCE, { contents: [part] }, open).result, {
    contents: [{ uri: "file:///a", text: "x" }],
  });
  assert.deepEqual(
    inspectAnswer(RESOURCE, { contents: [{ uri: "file:///a", text: "x", blob: "AA==", mimeType: "a b\n" }] }, open)
      .result,
    { contents: [{ uri: "file:///a", text: "x" }] },
    "text or bytes, not both",
  );
  const content = {
    type: "resource",
    resource: { ...part, uri: "file:///b" },
    annotations: { priority: 2, ...extra },
    ...extra,
  };
  const inspected = inspectAnswer(PROMPT, { messages: [{ role: "user", content, ...extra }], ...extra }, open);
  assert.deepEqual(inspected.result, {
    messages: [
      { role: "user", content: { type: "resource", resource: { uri: "file:///b", text: "x" }, annotations: {} } },
    ],
  });
  assert.ok(inspected.stripped.includes("messages[0].content.resource.note"));
  assert.deepEqual(inspectAnswer(COMPLETION, { completion: { values: ["a"], total: "ssn", note: 1 } }, open).result, {
    completion: { values: ["a"] },
  });
});

test("a prompt with content that the protocol does not have is refused whole", () => {
  const known = { role: "user", content: { type: "text", text: "hi" } };
  for (const content of [
    { type: "video", data: "AA==", mimeType: "video/mp4" },
    { type: "TEXT", text: "x" },
    { type: "text" },
    { type: "image", data: "AA==" },
    { type: "resource", resource: { uri: "a b", text: "x" } },
    { type: "resource", resource: { uri: `a:${"x".repeat(8_191)}`, text: "x" } },
    { type: "resource_link", uri: "file:///a" },
    { type: "toString", text: "x" },
    { text: "x" },
  ]) {
    const { outcome, result } = inspectAnswer(
      PROMPT,
      { messages: [known, { role: "user", content }] },
      { ...open, maxBytes: 100_000 },
    );
    assert.deepEqual([outcome, result], ["schema_violation", null], JSON.stringify(content));
  }
});

test("what a modern server says of caching is the protocol's where it conforms, and surplus anywhere else", () => {
  const contents = [{ uri: "file:///a", text: "hello" }];
  for (const caching of [
    { ttlMs: 0, cacheScope: "private" },
    { ttlMs: 60_000, cacheScope: "public" },
  ])
    assert.equal(inspectAnswer(RESOURCE, { contents, ...caching }, open).outcome, "pass");
  for (const wrong of [
    { ttlMs: -1 },
    { ttlMs: 0.5 },
    { ttlMs: "5" },
    { ttlMs: 2 ** 53 },
    { cacheScope: "shared" },
    { cacheScope: { a: 1 } },
  ]) {
    assert.deepEqual(inspectAnswer(RESOURCE, { contents, ...wrong }, open), {
      outcome: "surplus_stripped",
      result: { contents },
      stripped: Object.keys(wrong),
      redacted: 0,
      withheld: 0,
    });
  }
  assert.deepEqual(inspectAnswer(PROMPT, { messages: [], ttlMs: 0, cacheScope: "private" }, open).stripped, [
    "ttlMs",
    "cacheScope",
  ]);
});
