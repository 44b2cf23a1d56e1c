import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_CODES, type ErrorCode } from "./codes.ts";
import { CmcpError, asCmcpError } from "./error.ts";

test("every code is a constant name with an action and, where it has one, an HTTP status", () => {
  for (const [code, { action, http }] of Object.entries(ERROR_CODES)) {
    assert.match(code, /^[A-Z][A-Z0-9_]*$/);
    assert.ok(action.length > 10 && !action.endsWith("."), code);
    assert.ok(http === null || (Number.isInteger(http) && http >= 200 && http <= 599), code);
  }
});

test("an error carries its code's facts", () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const error = new CmcpError(code, "what happened");
    assert.deepEqual([error.code, error.message, error.name, error.detail], [code, "what happened", "CmcpError", {}]);
    assert.equal(error.action, ERROR_CODES[code].action);
    assert.equal(error.httpStatus, ERROR_CODES[code].http ?? 500);
    assert.ok(!("cause" in error));
  }
});

test("cause and detail are kept", () => {
  const cause = new Error("inner");
  const error = new CmcpError("INTERNAL", "outer", { cause, detail: { limit: 3 } });
  assert.equal(error.cause, cause);
  assert.deepEqual(error.detail, { limit: 3 });
});

test("what is thrown becomes typed once, and foreign text stays out of the message", () => {
  const typed = new CmcpError("NOT_FOUND", "nothing here");
  assert.equal(asCmcpError(typed, "INTERNAL", "other"), typed);
  for (const foreign of [new Error("secret"), "secret", undefined, null, { code: "NOT_FOUND" }]) {
    const error = asCmcpError(foreign, "INTERNAL", "it failed");
    assert.deepEqual([error.code, error.message], ["INTERNAL", "it failed"]);
    assert.equal(error.cause, foreign === undefined ? undefined : foreign);
  }
});
