import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { inspectInputRequests, inspectQuestion } from "../index.ts";
import { FORM, open, SAMPLING, URL_MODE, withholding } from "../testing/messages.ts";

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
