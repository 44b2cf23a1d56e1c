import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonObject } from "@cmcp/boundary";
import {
  inspectError,
  inspectInputRequests,
  inspectNotification,
  inspectQuestion,
  inspectQuestionAnswer,
} from "../index.ts";

const open = { withholdText: false, instead: "it failed" };
const withholding = { withholdText: true, instead: "it failed" };

test("an error keeps the server's words within bounds, and data of the shapes the protocol names", () => {
  const elicitation = { mode: "url", message: "go", url: "https://a.example/", elicitationId: "1" };
  const whole = {
    code: -32602,
    message: "x".repeat(2_048),
    data: {
      uri: "file:///a",
      elicitations: [elicitation],
      supported: ["2025-11-25"],
      requested: "1",
      requiredCapabilities: { sampling: { tools: {} }, roots: {} },
    },
  };
  assert.deepEqual(inspectError(whole, open), whole);
  assert.deepEqual(inspectError({ ...whole, message: "x".repeat(2_049) }, open), { ...whole, message: "it failed" });
  assert.deepEqual(
    inspectError(
      {
        ...whole,
        data: { elicitations: Array.from({ length: 16 }, () => ({ ...elicitation, message: "é".repeat(600) })) },
      },
      open,
    ),
    { code: -32602, message: whole.message },
    "in bytes",
  );
  assert.deepEqual(
    inspectError(
      { ...whole, data: { ...whole.data, claim: {}, _meta: {}, _cmcp: 1, error_code: "POLICY_DENY", note: "x" } },
      open,
    ),
    whole,
  );
  assert.deepEqual(
    inspectError({ code: 1, message: "m", data: { uri: 5, elicitations: [{ ...elicitation, url: 1 }] } }, open),
    {
      code: 1,
      message: "m",
    },
  );
  for (const data of ["text", [{ loc: ["a"], msg: "why" }], 1, false, null, undefined, {}, { field: "name" }])
    assert.deepEqual(inspectError({ code: 1, message: "m", data }, open), { code: 1, message: "m" });
  for (const error of [{}, { code: 0.5, message: 1 }, { code: "1", message: "" }])
    assert.deepEqual(inspectError(error, open), { code: -32603, message: "it failed" });
});

test("where fields are redacted, nothing of an error passes but its code", () => {
  assert.deepEqual(
    inspectError(
      { code: -32000, message: "ssn: 123-45-6789", data: { requested: "123-45-6789", note: "of 123-45-6789" } },
      withholding,
    ),
    { code: -32000, message: "it failed" },
  );
});

const FORM = {
  mode: "form",
  message: "Who are you?",
  requestedSchema: {
    type: "object",
    properties: {
      name: { type: "string", title: "Name", minLength: 2, maxLength: 5 },
      mail: { type: "string", format: "email" },
      colour: { type: "string", enum: ["red", "blue"], enumNames: ["Red", "Blue"] },
      size: { type: "string", oneOf: [{ const: "s", title: "Small" }] },
      age: { type: "integer", minimum: 0, maximum: 150 },
      weight: { type: "number", default: 1.5 },
      member: { type: "boolean", default: false },
      tags: { type: "array", items: { type: "string", enum: ["a", "b", "c"] }, maxItems: 2 },
      kinds: { type: "array", items: { anyOf: [{ const: "k", title: "K" }] } },
    },
    required: ["name"],
  },
};
const URL_MODE = { mode: "url", message: "Go", url: "https://a.example/x", elicitationId: "1" };
const SAMPLING = {
  messages: [
    { role: "user", content: { type: "text", text: "hi" } },
    { role: "assistant", content: [{ type: "tool_use", id: "1", name: "t", input: { a: 1 } }] },
    {
      role: "user",
      content: { type: "tool_result", toolUseId: "1", content: [{ type: "text", text: "x" }], isError: false },
    },
  ],
  maxTokens: 10,
  systemPrompt: "s",
  includeContext: "none",
  temperature: 0.5,
  stopSequences: ["."],
  modelPreferences: { hints: [{ name: "m" }], costPriority: 0.1 },
  tools: [{ name: "t", description: "d", inputSchema: { type: "object" } }],
  toolChoice: { mode: "auto" },
};

test("a question is rebuilt from the shape its method has", () => {
  const beside = { _meta: { "cmcp.gateway/receipt": {} }, _cmcp: 1, metadata: { ssn: 1 }, task: {} };
  for (const [method, params] of [
    ["elicitation/create", FORM],
    ["elicitation/create", URL_MODE],
    ["sampling/createMessage", SAMPLING],
    ["roots/list", {}],
  ] as const) {
    assert.deepEqual(inspectQuestion(method, { ...params }, open), params);
    assert.deepEqual(inspectQuestion(method, { ...params, ...beside }, open), params);
  }
  const form = inspectQuestion(
    "elicitation/create",
    {
      ...FORM,
      requestedSchema: {
        ...FORM.requestedSchema,
        $defs: { a: 1 },
        properties: { a: { type: "string", pattern: "(a+)+$", "x-note": 1 } },
      },
    },
    open,
  );
  assert.deepEqual(form?.["requestedSchema"], {
    type: "object",
    properties: { a: { type: "string" } },
    required: ["name"],
  });
});

test("what is no question of the protocol is not put", () => {
  const properties = (fields: JsonObject): JsonObject => ({
    ...FORM,
    requestedSchema: { type: "object", properties: fields },
  });
  for (const [method, params] of [
    ["tools/call", { name: "t" }],
    ["toString", {}],
    ["elicitation/create", {}],
    ["elicitation/create", { message: "m" }],
    ["elicitation/create", { ...URL_MODE, url: "a b" }],
    ["elicitation/create", { ...URL_MODE, elicitationId: "x".repeat(257) }],
    ["elicitation/create", properties({ a: { type: "object", properties: {} } })],
    ["elicitation/create", properties({ a: { type: "constructor" } })],
    ["elicitation/create", properties({ a: { type: "array", items: { type: "string" } } })],
    [
      "elicitation/create",
      properties(Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`f${index}`, { type: "boolean" }]))),
    ],
    ["sampling/createMessage", { messages: [] }],
    ["sampling/createMessage", { ...SAMPLING, messages: [{ role: "user", content: { type: "video" } }] }],
    ["sampling/createMessage", { ...SAMPLING, messages: [{ role: "system", content: { type: "text", text: "x" } }] }],
  ] as const)
    assert.equal(
      inspectQuestion(method, params as unknown as JsonObject, open),
      null,
      JSON.stringify(params).slice(0, 100),
    );
});

test("questions of one result pass all or none, within their number", () => {
  const asked = { a: { method: "elicitation/create", params: FORM, _meta: {} }, b: { method: "roots/list" } };
  assert.deepEqual(inspectInputRequests(asked, open), {
    a: { method: "elicitation/create", params: FORM },
    b: { method: "roots/list", params: {} },
  });
  for (const other of [
    { method: "tools/call", params: {} },
    {},
    "roots/list",
    { method: "elicitation/create", params: 1 },
  ])
    assert.equal(inspectInputRequests({ ...asked, c: other }, open), null);
  assert.equal(inspectInputRequests({ ["x".repeat(257)]: { method: "roots/list" } }, open), null);
  const many = Array.from({ length: 65 }, (_, index) => [`q${index}`, { method: "roots/list" }]);
  assert.equal(inspectInputRequests(Object.fromEntries(many) as JsonObject, open), null);
});

test("where fields are redacted, no question passes that is made of words", () => {
  const elicitation = {
    message: "ssn: 123-45-6789",
    mode: "url",
    url: "https://a.example/?ssn=123-45-6789",
    elicitationId: "1",
  };
  for (const method of ["elicitation/create", "sampling/createMessage", "tools/call", ""])
    assert.equal(inspectQuestion(method, elicitation, withholding), null);
  assert.deepEqual(inspectQuestion("roots/list", { _meta: { note: "ssn: 123-45-6789" } }, withholding), {});
  const roots = { method: "roots/list", params: { _meta: { note: "ssn: 123-45-6789" } } };
  assert.deepEqual(inspectInputRequests({ a: roots, b: { method: "roots/list" } }, withholding), {
    a: { method: "roots/list", params: {} },
    b: { method: "roots/list", params: {} },
  });
  for (const other of [{ method: "elicitation/create", params: elicitation }, {}, "roots/list"])
    assert.equal(inspectInputRequests({ a: roots, b: other }, withholding), null);
});

test("a notification is rebuilt from the shape its method has, and no other is told", () => {
  const beside = { _meta: { "cmcp.gateway/receipt": {} }, _cmcp: 1, progressToken: "t", note: "x" };
  for (const [method, params] of [
    ["notifications/progress", { progress: 1, total: 2, message: "m" }],
    ["notifications/message", { level: "info", data: { any: ["thing"] }, logger: "l" }],
    ["notifications/elicitation/complete", { elicitationId: "1" }],
  ] as const)
    assert.deepEqual(inspectNotification(method, { ...params, ...beside } as unknown as JsonObject, open), params);
  for (const [method, params] of [
    ["notifications/progress", { progress: "1" }],
    ["notifications/message", { level: "loud", data: 1 }],
    ["notifications/message", { level: "info" }],
    ["notifications/elicitation/complete", {}],
    ["notifications/resources/updated", { uri: "file:///a" }],
    ["notifications/cmcp", { progress: 1 }],
    ["toString", {}],
  ] as const)
    assert.equal(inspectNotification(method, params, open), null, method);
});

test("where fields are redacted, a notification only says how far the work is", () => {
  const progress = { progress: 1, total: 2, message: "ssn: 123-45-6789", _meta: { note: "ssn: 123-45-6789" } };
  assert.deepEqual(inspectNotification("notifications/progress", progress, withholding), { progress: 1, total: 2 });
  assert.deepEqual(
    inspectNotification("notifications/progress", { progress: 1, total: "ssn: 123-45-6789" }, withholding),
    { progress: 1 },
  );
  for (const [method, params] of [
    ["notifications/message", { level: "info", data: "ssn: 123-45-6789" }],
    ["notifications/elicitation/complete", { elicitationId: "123-45-6789" }],
  ] as const)
    assert.equal(inspectNotification(method, params, withholding), null);
});

test("an answer to a form holds the fields that were asked for, each as it was asked for", () => {
  const answered = (content: JsonObject, more: JsonObject = {}): ReturnType<typeof inspectQuestionAnswer> =>
    inspectQuestionAnswer("elicitation/create", FORM, { action: "accept", content, ...more });
  const content = {
    name: "ann",
    mail: "a@b.example",
    colour: "red",
    size: "s",
    age: 3,
    weight: 2.5,
    member: true,
    tags: ["a"],
    kinds: ["k"],
  };
  assert.deepEqual(answered(content, { _meta: { secret: 1 }, note: "x" }), {
    ok: true,
    value: { action: "accept", content },
  });
  for (const wrong of [
    {},
    { name: "ann", other: 1 },
    { name: "a" },
    { name: "annabel" },
    { name: "ann", mail: "none" },
    { name: "ann", colour: "green" },
    { name: "ann", size: "x" },
    { name: "ann", age: 1.5 },
    { name: "ann", age: 200 },
    { name: "ann", weight: "2" },
    { name: "ann", member: "yes" },
    { name: "ann", tags: ["a", "b", "c"] },
    { name: "ann", tags: ["a", "a"] },
    { name: "ann", tags: ["x"] },
    { name: "ann", kinds: [{ const: "k" }] },
    { name: { ssn: 1 } },
    { constructor: "x", name: "ann" },
  ]) {
    const checked = answered(wrong);
    assert.equal(checked.ok, false, JSON.stringify(wrong));
    assert.equal(JSON.stringify(checked).includes("ann"), false);
  }
  for (const action of ["decline", "cancel"])
    assert.deepEqual(inspectQuestionAnswer("elicitation/create", FORM, { action, content: { secret: 1 } }), {
      ok: true,
      value: { action },
    });
  assert.deepEqual(
    inspectQuestionAnswer("elicitation/create", URL_MODE, { action: "accept", content: { secret: 1 } }),
    {
      ok: true,
      value: { action: "accept" },
    },
  );
  for (const answer of [{}, { action: "maybe" }, { action: "accept" }, [], "accept", null])
    assert.equal(inspectQuestionAnswer("elicitation/create", FORM, answer).ok, false);
});

test("an answer of sampling or roots is rebuilt, and one to no question of the protocol is none", () => {
  const sampled = { role: "assistant", content: { type: "text", text: "x" }, model: "m", stopReason: "endTurn" };
  assert.deepEqual(inspectQuestionAnswer("sampling/createMessage", SAMPLING, { ...sampled, _meta: {}, secret: 1 }), {
    ok: true,
    value: sampled,
  });
  const roots = { roots: [{ uri: "file:///a", name: "a" }] };
  assert.deepEqual(
    inspectQuestionAnswer("roots/list", {}, { roots: [{ ...roots.roots[0], _meta: {}, secret: 1 }], secret: 1 }),
    {
      ok: true,
      value: roots,
    },
  );
  for (const [method, answer] of [
    ["sampling/createMessage", { ...sampled, content: { type: "video" } }],
    ["sampling/createMessage", { role: "assistant", content: { type: "text", text: "x" } }],
    ["sampling/createMessage", roots],
    ["roots/list", { roots: [{ uri: "https://a.example/" }] }],
    ["roots/list", sampled],
    ["tools/call", {}],
    ["toString", {}],
  ] as const)
    assert.equal(inspectQuestionAnswer(method, {}, answer as JsonObject).ok, false, method);
});

test("property: where fields are redacted, no text of the server's passes in an error, a question or a notification", () => {
  const SECRET = "the-secret-value";
  const { object } = fc.letrec<{ object: JsonObject; any: JsonObject[string] }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(SECRET, 1, true, null),
      fc.array(tie("any"), { maxLength: 2 }),
      tie("object"),
    ),
    object: fc.dictionary(
      fc.constantFrom("code", "message", "data", "method", "params", "_meta", "progress", "total", SECRET),
      tie("any"),
      { noNullPrototype: true },
    ),
  }));
  fc.assert(
    fc.property(
      object,
      fc.constantFrom("roots/list", "elicitation/create", "sampling/createMessage"),
      (said, method) => {
        const told = [
          inspectError(said, withholding),
          inspectQuestion(method, said, withholding),
          inspectInputRequests({ a: said, b: { ...said, method } }, withholding),
          inspectNotification("notifications/progress", said, withholding),
          inspectNotification("notifications/message", said, withholding),
        ];
        assert.equal(JSON.stringify(told).includes(SECRET), false);
      },
    ),
    { numRuns: 500 },
  );
});
