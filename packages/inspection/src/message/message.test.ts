import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonObject } from "@cmcp/boundary";
import { inspectError, inspectInputRequests, inspectNotification, inspectQuestion } from "../index.ts";
import { open, withholding } from "../testing/messages.ts";

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
