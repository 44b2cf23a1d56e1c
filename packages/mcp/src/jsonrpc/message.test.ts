import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, parseJson, untrusted, type JsonValue } from "@cmcp/boundary";
import * as fc from "fast-check";
import { readMessage, type RpcMessage } from "../index.ts";

const KINDS: readonly string[] = ["request", "notification", "result", "failure"];

function read(bytes: Uint8Array): RpcMessage | CmcpError {
  try {
    return readMessage(parseJson(untrusted(bytes)));
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError, String(thrown));
    return thrown;
  }
}

function assertMessageOrError(bytes: Uint8Array): void {
  const message = read(bytes);
  if (!(message instanceof CmcpError)) assert.ok(KINDS.includes(message.kind));
}

test("any bytes give a message or a typed error", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), assertMessageOrError));
});

const member = fc.constantFrom("jsonrpc", "id", "method", "params", "result", "error", "extra");
const value = fc.oneof(
  fc.constantFrom<JsonValue>("2.0", "ping", 1, 1.5, null, {}, [], "", { code: 1, message: "m" }),
  fc.jsonValue() as fc.Arbitrary<JsonValue>,
);

test("any JSON that looks like JSON-RPC gives a message or MCP_INVALID_REQUEST", () => {
  fc.assert(
    fc.property(fc.dictionary(member, value), (candidate) => {
      const bytes = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", ...candidate }));
      assertMessageOrError(bytes);
    }),
  );
});

test("a message with one byte changed gives a message or a typed error", () => {
  const text = new TextEncoder().encode(
    '{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x","arguments":{"n":1.5e3}}}',
  );
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.nat(255), (at, byte) => {
      assertMessageOrError(text.with(at, byte));
    }),
  );
});

test("every kind of message is read with its parts", () => {
  const id = fc.oneof(fc.string({ maxLength: 256, unit: "grapheme" }), fc.maxSafeInteger());
  fc.assert(
    fc.property(id, fc.string({ minLength: 1, maxLength: 128, unit: "grapheme-ascii" }), (id, method) => {
      if (typeof id === "string" && id.length > 256) return;
      const jsonrpc = "2.0";
      assert.deepEqual(readMessage({ jsonrpc, id, method }), { kind: "request", id, method, params: null });
      assert.deepEqual(readMessage({ jsonrpc, method, params: { a: 1 } }), {
        kind: "notification",
        method,
        params: { a: 1 },
      });
      assert.deepEqual(readMessage({ jsonrpc, id, result: {} }), { kind: "result", id, result: {} });
      assert.deepEqual(readMessage({ jsonrpc, id, error: { code: -1, message: method, data: 1 } }), {
        kind: "failure",
        id,
        error: { code: -1, message: method, data: 1 },
      });
    }),
  );
});

const ok = { jsonrpc: "2.0", id: 1, method: "ping" };
const refused: Record<string, JsonValue> = {
  "a batch": [ok],
  "no object": "ping",
  "another version": { ...ok, jsonrpc: "1.0" },
  "no version": { id: 1, method: "ping" },
  "a null id": { ...ok, id: null },
  "a fractional id": { ...ok, id: 1.5 },
  "an id beyond exact integers": { ...ok, id: 2 ** 53 },
  "an id of 257 characters": { ...ok, id: "x".repeat(257) },
  "an object as id": { ...ok, id: {} },
  "an empty method": { ...ok, method: "" },
  "a method of 129 characters": { ...ok, method: "x".repeat(129) },
  "a number as method": { ...ok, method: 1 },
  "positional params": { ...ok, params: [1] },
  "null params": { ...ok, params: null },
  "a method and a result": { ...ok, result: {} },
  "an unknown member": { ...ok, extra: 1 },
  "a result and an error": { jsonrpc: "2.0", id: 1, result: {}, error: { code: 1, message: "" } },
  "a result without an id": { jsonrpc: "2.0", result: {} },
  "a result that is no object": { jsonrpc: "2.0", id: 1, result: [] },
  "an error without a code": { jsonrpc: "2.0", id: 1, error: { message: "" } },
  "an error without a message": { jsonrpc: "2.0", id: 1, error: { code: 1 } },
  "an error that is no object": { jsonrpc: "2.0", id: 1, error: "no" },
  "an error with a bad id": { jsonrpc: "2.0", id: [], error: { code: 1, message: "" } },
  "nothing to do": { jsonrpc: "2.0", id: 1 },
};
for (const [name, value] of Object.entries(refused)) {
  test(`${name} is refused`, () => {
    assert.throws(() => readMessage(value), { code: "MCP_INVALID_REQUEST" });
  });
}
