import assert from "node:assert/strict";
import { test } from "node:test";
import { readTextContent } from "./text.ts";

for (const [kind, texts] of [
  ["json", ["{}", "[]", ' \t\n\r{"a":1} \t\n\r', "[1,2]"]],
  ["quoted", ['"a"', '"{}"', '""', ' "a" ']],
  [
    "plain",
    ["", " ", "a", "1", "true", "NaN", "Infinity", "-Infinity", "{", '"', "[a]", "{a}", '"a" "b"', "{]", "\ufeff{}"],
  ],
  [
    "ambiguous",
    [
      '{"a":1,"a":2}',
      "[NaN]",
      "[-Infinity]",
      '["\\ud800"]',
      '"\\uDFFF"',
      "[1e400]",
      `${"[".repeat(65)}${"]".repeat(65)}`,
    ],
  ],
] as const)
  test(`texts that are ${kind}`, () => {
    for (const text of texts) assert.equal(readTextContent(text).kind, kind, JSON.stringify(text));
  });
