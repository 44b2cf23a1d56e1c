import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { committedMessage, committedMessageOf, committedRequestOf } from "./committed.ts";
import { METHODS, isGoverned } from "./methods.ts";
import { withGatewayMembers, type RpcBody } from "./outcome.ts";

const TRACE = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
const MODERN = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

test("a request is committed to as it leaves: rebuilt, with trace context alone of its _meta, under the agent's ids", () => {
  const cases: readonly (readonly [string, JsonObject, JsonObject])[] = [
    ["tools/call", { name: "t" }, { name: "t", arguments: {} }],
    [
      "tools/call",
      {
        name: "t",
        arguments: { a: 1 },
        task: { ttl: 5 },
        _cmcp: { session_id: "s" },
        _meta: { progressToken: 1, ...TRACE },
      },
      { name: "t", arguments: { a: 1 }, task: { ttl: 5 }, _meta: TRACE },
    ],
    [
      "tools/call",
      { name: "t", inputResponses: { q: { action: "decline" } }, requestState: "s", _meta: MODERN },
      { name: "t", arguments: {}, inputResponses: { q: { action: "decline" } }, requestState: "s" },
    ],
    ["resources/read", { uri: "a:b" }, { uri: "a:b" }],
    ["resources/unsubscribe", { uri: "a:b", _meta: TRACE }, { uri: "a:b" }],
    ["tasks/get", { taskId: "mine", task: {} }, { taskId: "mine" }],
    [
      "completion/complete",
      { ref: { type: "ref/prompt", name: "p" }, argument: { name: "a", value: "" }, context: {} },
      { ref: { type: "ref/prompt", name: "p" }, argument: { name: "a", value: "" } },
    ],
  ];
  for (const [method, params, sent] of cases)
    assert.deepEqual(committedRequestOf({ jsonrpc: "2.0", id: 1, method, params }), { method, params: sent }, method);
});

test("what reaches no server, and what the gateway refuses, is committed to by nothing", () => {
  for (const method of METHODS)
    if (!isGoverned(method)) assert.equal(committedRequestOf({ method: method.name, params: {} }), null, method.name);
  for (const message of [
    {},
    { method: 1 },
    { method: "unknown" },
    { method: "tools/call" },
    { method: "tools/call", params: [] },
    { method: "tools/call", params: { name: "t", more: 1 } },
    { method: "tools/call", params: { name: "t", requestState: "of the modern era" } },
    { method: "tools/call", params: { name: "t", task: {}, _meta: MODERN } },
  ])
    assert.equal(committedRequestOf(message), null, JSON.stringify(message));
});

test("property: an answer is committed to as it was before the gateway attached its members", () => {
  const name = fc.oneof(fc.string(), fc.constantFrom("cmcp.gateway/error", "error_code"));
  const own = fc
    .dictionary(name, fc.jsonValue(), { maxKeys: 4 })
    .map((members) => JSON.parse(JSON.stringify(members)) as JsonObject)
    .map((members) =>
      Object.fromEntries(
        Object.entries(members).filter(
          ([key]) => !["call_id", "receipt", "salts", "claim", "_meta", "__proto__"].includes(key),
        ),
      ),
    );
  const result = fc.tuple(own, own).map(
    ([rest, meta]): RpcBody => ({
      result: { ...rest, ...(Object.keys(meta).length === 0 ? {} : { _meta: meta }) } as JsonObject,
    }),
  );
  const error = own.map((data): RpcBody => ({ error: { code: -32000, message: "m", data }, status: 400 }));
  const attached = fc
    .subarray(["receipt", "salts", "claim", "kill-switch-refusal"])
    .map((names) => Object.fromEntries(names.map((one) => [`cmcp.gateway/${one}`, {}])));
  fc.assert(
    fc.property(fc.oneof(result, error), attached, (body, members) => {
      const beside = "result" in body ? members : { ...members, call_id: "c", receipt: {}, salts: {}, claim: {} };
      const answer = withGatewayMembers(body, beside);
      const text = JSON.stringify("result" in answer ? { result: answer.result } : { error: answer.error });
      assert.deepEqual(committedMessageOf(JSON.parse(text) as JsonObject), committedMessage(body));
    }),
  );
});
