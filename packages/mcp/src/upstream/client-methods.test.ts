import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { ClientCapabilities } from "../protocol/client-capabilities.ts";
import { askableParams } from "./client-methods.ts";

const ELICIT = "elicitation/create";
const SAMPLE = "sampling/createMessage";

for (const [name, capabilities, method, params, code] of [
  ["a method that no client knows", { elicitation: {}, sampling: {}, roots: {} }, "tools/call", {}, -32601],
  ["the name of something every object has", { elicitation: {} }, "constructor", {}, -32601],
  ["elicitation that was not declared", { sampling: {} }, ELICIT, {}, -32601],
  ["sampling that was not declared", { elicitation: {} }, SAMPLE, {}, -32601],
  ["roots that were not declared", {}, "roots/list", {}, -32601],
  ["a URL of who takes forms without saying so", { elicitation: {} }, ELICIT, { mode: "url" }, -32602],
  ["a URL of who takes forms", { elicitation: { form: {} } }, ELICIT, { mode: "url" }, -32602],
  ["a form of who takes URLs alone", { elicitation: { url: {} } }, ELICIT, {}, -32602],
  ["a mode that does not exist", { elicitation: { form: {}, url: {} } }, ELICIT, { mode: "voice" }, -32602],
  ["a mode that is no text", { elicitation: {} }, ELICIT, { mode: null }, -32602],
  ["tools of who samples without", { sampling: {} }, SAMPLE, { tools: [] }, -32602],
  [
    "a choice of tools of who samples without",
    { sampling: { context: {} } },
    SAMPLE,
    { toolChoice: { mode: "none" } },
    -32602,
  ],
] as const satisfies readonly (readonly [string, ClientCapabilities, string, JsonObject, number])[]) {
  test(`a client is not asked for ${name}`, () => {
    assert.throws(() => askableParams(capabilities, method, params), { code: "UPSTREAM_CALL_REFUSED", rpcCode: code });
  });
}

for (const [name, capabilities, method, params] of [
  ["a form, where no mode is named", { elicitation: {} }, ELICIT, { message: "name?" }],
  ["a form by its name", { elicitation: {} }, ELICIT, { mode: "form" }],
  ["a form, where both were declared", { elicitation: { form: {}, url: {} } }, ELICIT, {}],
  ["a URL", { elicitation: { url: {} } }, ELICIT, { mode: "url" }],
  ["a message without context", { sampling: {} }, SAMPLE, { maxTokens: 1 }],
  [
    "a message with tools and context",
    { sampling: { tools: {}, context: {} } },
    SAMPLE,
    { tools: [], toolChoice: {}, includeContext: "allServers" },
  ],
  ["its roots", { roots: {} }, "roots/list", {}],
] as const satisfies readonly (readonly [string, ClientCapabilities, string, JsonObject])[]) {
  test(`a client that declared it is asked for ${name}`, () => {
    assert.equal(askableParams(capabilities, method, params), params);
  });
}

test("context that a client did not declare is not asked for, and the rest is", () => {
  assert.deepEqual(askableParams({ sampling: {} }, SAMPLE, { maxTokens: 1, includeContext: "thisServer" }), {
    maxTokens: 1,
  });
});
