import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, ERROR_CODES, type ErrorCode } from "@cmcp/boundary";
import { hostError } from "./host-error.ts";

const SENTENCES = { UPSTREAM_UNAVAILABLE: "not reached", OVERLOADED: "no room" };

test("of a host's error only a listed code passes, and never its text", () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const fault = hostError(new CmcpError(code, "the host's words"), SENTENCES, "UPSTREAM_UNAVAILABLE");
    const expected = code === "OVERLOADED" ? ["OVERLOADED", "no room"] : ["UPSTREAM_UNAVAILABLE", "not reached"];
    assert.deepEqual([fault.code, fault.message], expected, code);
  }
  for (const thrown of [new Error("words"), "words", null]) {
    const { code, message } = hostError(thrown, SENTENCES, "UPSTREAM_UNAVAILABLE");
    assert.deepEqual([code, message], ["UPSTREAM_UNAVAILABLE", "not reached"]);
  }
});
