import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonObject } from "@cmcp/boundary";
import { inspectError, inspectInputRequests, inspectNotification, inspectQuestion } from "../index.ts";

const open = { withholdText: false, instead: "it failed" };
const withholding = { withholdText: true, instead: "it failed" };

test("an error keeps the server's words within bounds", () => {
  const whole = { code: -32602, message: "x".repeat(2_048), data: { field: "name", long: "x".repeat(16_000) } };
  assert.deepEqual(inspectError(whole, open), whole);
  assert.deepEqual(inspectError({ ...whole, message: "x".repeat(2_049) }, open), { ...whole, message: "it failed" });
  assert.deepEqual(
    inspectError({ ...whole, data: { long: "é".repeat(8_192) } }, open),
    { code: -32602, message: whole.message },
    "in bytes",
  );
  for (const data of ["text", [{ loc: ["a"], msg: "why" }], 1, false])
    assert.deepEqual(
      inspectError({ code: 1, message: "m", data }, open),
      { code: 1, message: "m", data: { data } },
      "members go beside it",
    );
  for (const data of [null, undefined, "x".repeat(16_384)])
    assert.deepEqual(inspectError({ code: 1, message: "m", data }, open), { code: 1, message: "m" });
  for (const error of [{}, { code: 0.5, message: 1 }, { code: "1", message: "" }])
    assert.deepEqual(inspectError(error, open), { code: -32603, message: "it failed" });
});

test("where fields are redacted, nothing of an error passes but its code", () => {
  assert.deepEqual(
    inspectError(
      { code: -32000, message: "ssn: 123-45-6789", data: { ssn: "123-45-6789", note: "of 123-45-6789" } },
      withholding,
    ),
    { code: -32000, message: "it failed" },
  );
});

test("where fields are redacted, no question passes that is made of words", () => {
  const elicitation = { message: "ssn: 123-45-6789", mode: "url", url: "https://a.example/?ssn=123-45-6789" };
  for (const method of ["elicitation/create", "sampling/createMessage", "tools/call", ""])
    assert.equal(inspectQuestion(method, elicitation, withholding), null);
  assert.deepEqual(inspectQuestion("roots/list", { _meta: { note: "ssn: 123-45-6789" } }, withholding), {});
  assert.deepEqual(inspectQuestion("elicitation/create", elicitation, open), elicitation);
  const roots = { method: "roots/list", params: { _meta: { note: "ssn: 123-45-6789" } } };
  assert.deepEqual(inspectInputRequests({ a: roots, b: { method: "roots/list" } }, withholding), {
    a: { method: "roots/list" },
    b: { method: "roots/list" },
  });
  for (const other of [{ method: "elicitation/create", params: elicitation }, {}, "roots/list"])
    assert.equal(inspectInputRequests({ a: roots, b: other }, withholding), null);
  assert.deepEqual(inspectInputRequests({ a: roots }, open), { a: roots });
});

test("where fields are redacted, a notification only says how far the work is", () => {
  const progress = { progress: 1, total: 2, message: "ssn: 123-45-6789", _meta: { note: "ssn: 123-45-6789" } };
  assert.deepEqual(inspectNotification(progress, withholding), { progress: 1, total: 2 });
  assert.deepEqual(inspectNotification({ progress: 1, total: "ssn: 123-45-6789" }, withholding), { progress: 1 });
  assert.deepEqual(inspectNotification(progress, open), progress);
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
          inspectNotification(said, withholding),
        ];
        assert.equal(JSON.stringify(told).includes(SECRET), false);
      },
    ),
    { numRuns: 500 },
  );
});
