import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeHeaderValue, encodeHeaderValue } from "./header-value.ts";

test("plain ASCII stands as it is; everything else goes between markers", () => {
  const cases: [string, string][] = [
    ["us-west1", "us-west1"],
    ["", ""],
    ["a b", "a b"],
    ["Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="],
    [" padded ", "=?base64?IHBhZGRlZCA=?="],
    ["line1\nline2", "=?base64?bGluZTEKbGluZTI=?="],
    ["=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="],
  ];
  for (const [value, header] of cases)
    assert.deepEqual([encodeHeaderValue(value), decodeHeaderValue(header)], [header, value]);
});

test("what is not canonical base64 of UTF-8 has no value", () => {
  for (const header of [
    "=?base64?%?=",
    "=?base64?YQ?=",
    "=?base64?YQ=?=",
    "=?base64?Y Q==?=",
    "=?base64?YR==?=",
    "=?base64?_-8=?=",
    "=?base64?/w==?=",
  ]) {
    assert.equal(decodeHeaderValue(header), null, header);
  }
  assert.equal(decodeHeaderValue("=?base64?="), "=?base64?=", "markers that overlap are none");
});

test("a lone surrogate cannot be sent", () => {
  assert.throws(() => encodeHeaderValue("a\ud800"), { code: "JSON_NOT_CANONICALIZABLE" });
});

test("property: any text comes back from a header that HTTP takes, blanks at its ends cut off", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "grapheme-ascii" }),
        fc.constantFrom("=?base64?", "?=", "\ufeff", "\t"),
      ),
      (value) => {
        const header = encodeHeaderValue(value);
        assert.equal(decodeHeaderValue(new Headers({ "mcp-name": ` ${header}\t` }).get("mcp-name") ?? ""), value);
      },
    ),
    { numRuns: 300 },
  );
});
