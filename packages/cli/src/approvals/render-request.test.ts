import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { requestOf } from "../../../approval/src/testing/statements.ts";
import { renderRequest } from "./render-request.ts";
import { visible, visibleJson, visibleParts } from "./visible.ts";

test("a request is shown whole, and nothing of it moves a terminal's cursor", () => {
  const args = { to: "bob\u001b[2Jevil", text: "Grüße \u202e 🙂", deep: [{ a: null }] };
  const text = renderRequest(
    requestOf({
      principal: "agent\u0007",
      arguments: args,
      flows: {
        found: [{ source_server: "s", source_tool: "t", labels: [], kind: "exact", path: "text", coverage: 90 }],
        complete: false,
      },
      findings: { argument_findings_secrets: 1 },
      result: { content: ["r\u009b"] },
      subject: "result",
      task: { ttl: 60_000 },
      answers: {
        q1: {
          method: "elicitation/create",
          params: { message: "Who\u202e?" },
          answer: { content: { to: "b\u0007b" } },
        },
      },
    }),
    "sha256:ab",
  );
  for (const shown of [
    "bob\\u001b[2Jevil",
    "Grüße \\u202e 🙂",
    "agent\\u0007",
    "r\\u009b",
    "asked for, kept for 60000 ms",
    "Who\\u202e?",
    "b\\u0007b",
    "mail leaves the company",
    "1 of alice, bob",
    "s/t in text (exact, 90 %); others may not have been found",
    '{"argument_findings_secrets":1}',
    "sha256:ab",
  ])
    assert.ok(text.includes(shown), shown);
  assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{C}\p{Zl}\p{Zp}]/u);
});

test("any text and any value are shown without characters that do not show", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.doesNotMatch(visible(text), /[\p{C}\p{Zl}\p{Zp}]/u);
      assert.doesNotMatch(visibleJson({ [text]: text }).replaceAll("\n", ""), /[\p{C}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test("what only seems to be a space or nothing is written out, and told from text that looks the same", () => {
  for (const [text, shown] of [
    ["a\u00a0b", "a\\u00a0b"],
    ["a\u3000b", "a\\u3000b"],
    ["a\u3164b", "a\\u3164b"],
    ["a\u2800b", "a\\u2800b"],
    ["a\ufe0fb", "a\\ufe0fb"],
    ["a\u{e0041}b", "a\\u{e0041}b"],
    ["a\u2066b\u2069", "a\\u2066b\\u2069"],
    ["a b", "a b"],
  ] as const)
    assert.equal(visible(text), shown);
  assert.deepEqual(visibleParts("\\u202e\u202e"), [
    { text: "\\u202e", hidden: false },
    { text: "\\u202e", hidden: true },
  ]);
  assert.deepEqual(visibleParts(""), []);
});
