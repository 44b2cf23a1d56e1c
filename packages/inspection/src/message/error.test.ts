import assert from "node:assert/strict";
import { test } from "node:test";
import { inspectError } from "../index.ts";
import { open, withholding } from "../testing/messages.ts";

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
