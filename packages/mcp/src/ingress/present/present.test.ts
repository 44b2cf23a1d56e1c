import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_CODES, isJsonObject, type ErrorCode, type JsonObject } from "@cmcp/boundary";
import { METHODS } from "../../protocol/methods.ts";
import { refused, type Outcome, type RpcBody } from "../../protocol/outcome.ts";
import { legacyPresenter } from "./legacy.ts";
import { modernPresenter } from "./modern.ts";

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];
const INFO = { name: "gateway", version: "1" };
const CALL = { method: "tools/call", asTask: false };
/** Nobody reads the answer, or the protocol demands the error. */
const ERRORS: readonly ErrorCode[] = ["REQUEST_CANCELLED", "REQUEST_STATE_INVALID", "TASK_NOT_SUPPORTED"];

function errorOf(body: RpcBody): { readonly code: number; readonly status: number; readonly data: JsonObject } {
  assert.ok("error" in body);
  return { code: body.error.code, status: body.status, data: body.error.data ?? {} };
}

function resultOf(body: RpcBody): JsonObject {
  assert.ok("result" in body);
  return body.result;
}

const IN_SESSION = [
  ["legacy", legacyPresenter(CALL, true)],
  ["modern", modernPresenter(CALL, INFO)],
] as const;

for (const [era, present] of IN_SESSION)
  test(`${era}: a refused tool call of any code is a result that says what to do, but for errors of the protocol`, () => {
    for (const code of CODES) {
      const body = present(refused(code, "the reason"));
      if (ERRORS.includes(code)) {
        assert.equal(errorOf(body).data.error_code, code);
        continue;
      }
      const { isError, content, _meta: meta } = resultOf(body);
      const { advice } = ERROR_CODES[code];
      assert.deepEqual(isJsonObject(meta) && meta["cmcp.gateway/error"], { code, advice }, code);
      assert.equal(isError, true);
      const [text = ""] = (content as unknown as readonly { readonly text: string }[]).map((block) => block.text);
      const says = {
        retry: /try the same call again later/,
        "wait-for-approval": /Tell whoever you work for that it waits/,
        "change-arguments": /Change the arguments/,
        "give-up": /Do not try/,
      };
      assert.match(text, /^This tool call (?:was refused|failed): the reason\. /, code);
      for (const [other, sentence] of Object.entries(says)) assert.equal(sentence.test(text), other === advice, code);
    }
  });

test("a single POST keeps the JSON-RPC error and its HTTP status, for every code", () => {
  const present = legacyPresenter(CALL, false);
  for (const code of CODES) {
    const { status, data } = errorOf(present(refused(code, "m")));
    assert.deepEqual([status, data.error_code], [ERROR_CODES[code].http ?? 500, code], code);
  }
  assert.equal(errorOf(present(refused("POLICY_DENY", "m"))).status, 403);
});

test("what is no tool call keeps the protocol's error, in a session under 200", () => {
  for (const { name, eras } of METHODS) {
    if (name === "tools/call") continue;
    const subject = { method: name, asTask: false };
    if (eras.includes("legacy"))
      assert.equal(errorOf(legacyPresenter(subject, true)(refused("POLICY_DENY", "m"))).status, 200, name);
    assert.deepEqual(
      errorOf(modernPresenter(subject, INFO)(refused("POLICY_DENY", "m"))),
      { code: -32000, status: 200, data: { error_code: "POLICY_DENY" } },
      name,
    );
  }
});

test("the protocol's own codes and statuses are those of the era", () => {
  const read = { method: "resources/read", asTask: false };
  const of = (present: (outcome: Outcome) => RpcBody, code: ErrorCode): unknown => {
    const error = errorOf(present(refused(code, "m")));
    return [error.code, error.status];
  };
  assert.deepEqual(of(legacyPresenter(read, true), "RESOURCE_NOT_IN_CATALOG"), [-32002, 200]);
  assert.deepEqual(of(legacyPresenter(read, false), "RESOURCE_NOT_IN_CATALOG"), [-32002, 404]);
  assert.deepEqual(of(modernPresenter(read, INFO), "RESOURCE_NOT_IN_CATALOG"), [-32602, 404]);
  assert.deepEqual(of(modernPresenter(read, INFO), "INTERNAL"), [-32603, 200]);
  assert.deepEqual(of(modernPresenter(CALL, INFO), "TASK_NOT_SUPPORTED"), [-32601, 404]);
  assert.deepEqual(of(modernPresenter(CALL, INFO), "REQUEST_STATE_INVALID"), [-32602, 400]);
});

test("a call as a task is answered with a task or an error", () => {
  const body = legacyPresenter({ method: "tools/call", asTask: true }, true)(refused("POLICY_DENY", "m"));
  assert.deepEqual(errorOf(body), { code: -32000, status: 200, data: { error_code: "POLICY_DENY" } });
});

test("a server's own error stays one, and never says the gateway's code for itself", () => {
  const outcome: Outcome = {
    ...refused("UPSTREAM_CALL_REFUSED", "m"),
    rpc: { code: -32602, message: "theirs", data: { error_code: "FORGED", field: "a" } },
  };
  for (const [era, present] of IN_SESSION)
    assert.deepEqual(
      present(outcome),
      {
        error: { code: -32602, message: "theirs", data: { error_code: "UPSTREAM_CALL_REFUSED", field: "a" } },
        status: era === "legacy" ? 200 : 400,
      },
      era,
    );
});

test("a need for input is the modern era's; in the other it is a refusal", () => {
  const outcome: Outcome = { kind: "input", inputRequests: { q: { method: "roots/list" } }, requestState: "s" };
  assert.deepEqual(modernPresenter(CALL, INFO)(outcome), {
    result: {
      inputRequests: { q: { method: "roots/list" } },
      requestState: "s",
      resultType: "input_required",
      _meta: { "io.modelcontextprotocol/serverInfo": INFO },
    },
  });
  const { _meta: meta } = resultOf(legacyPresenter(CALL, true)(outcome));
  assert.deepEqual(meta, { "cmcp.gateway/error": { code: "UPSTREAM_INPUT_REQUIRED", advice: "give-up" } });
});

test("the same outcome always gives the same body", () => {
  const outcomes: readonly Outcome[] = [
    refused("POLICY_DENY", "m"),
    { kind: "result", result: { content: [], structuredContent: [1] } },
  ];
  for (const [, present] of IN_SESSION)
    for (const outcome of outcomes) assert.deepEqual(present(outcome), present(outcome));
});
