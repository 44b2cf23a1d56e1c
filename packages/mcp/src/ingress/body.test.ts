/** What a body and its HTTP envelope must be before anything of it is looked at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { HttpRequest } from "../index.ts";
import { webEndpoint } from "../testing/web-endpoint.ts";
import { ask, post, rpc, call, start, assertRefused, type Body } from "../testing/ask.ts";

const unparsable: Record<string, { body: Body; cause: string }> = {
  nothing: { body: "", cause: "JSON_SYNTAX" },
  "truncated JSON": { body: '{"jsonrpc":"2.0","id":1,', cause: "JSON_SYNTAX" },
  "non-UTF-8 bytes": { body: new Uint8Array([0x22, 0xff, 0x22]), cause: "JSON_INVALID_UTF8" },
  "a duplicate key": { body: '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', cause: "JSON_DUPLICATE_KEY" },
  "deep nesting": {
    body: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}}`,
    cause: "JSON_TOO_DEEP",
  },
  "a number that does not round-trip": {
    body: '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}',
    cause: "JSON_NUMBER_NOT_EXACT",
  },
  "a forbidden key": {
    body: '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"__proto__":{}}}',
    cause: "JSON_KEY_FORBIDDEN",
  },
  "more values than allowed": { body: `[${"0,".repeat(250_000)}0]`, cause: "JSON_TOO_MANY_ITEMS" },
};
for (const [name, { body, cause }] of Object.entries(unparsable)) {
  test(`a body with ${name} is a parse error that names its cause`, async () => {
    const { endpoint, gateway } = start();
    const answer = await ask(endpoint, post(body));
    assertRefused(answer, { status: 400, rpc: -32700, code: "MCP_PARSE_FAILURE" });
    assert.equal(answer.body.error?.data.cause_code, cause);
    assert.equal((await ask(endpoint, post(call()))).status, 200);
    assert.equal(gateway.calls.length, 1);
  });
}

test("any body gets a JSON-RPC answer and never an exception", async () => {
  const { endpoint } = start();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
      const answer = await ask(endpoint, post(bytes));
      assert.equal(answer.status, 400);
      assert.ok(answer.body.error !== undefined);
    }),
    { numRuns: 50 },
  );
});

test("a body over the limit is 413, whether its length is declared, hidden or a lie; it is read no further", async () => {
  const { gateway } = start();
  const endpoint = webEndpoint(gateway, { maxBodyBytes: 1000, maxInFlight: 64 });
  const tooLarge = { status: 413, rpc: -32600, code: "MCP_PAYLOAD_TOO_LARGE" };
  assertRefused(await ask(endpoint, post("x".repeat(1001))), tooLarge);
  let pulled = 0;
  const stream = (): ReadableStream<Uint8Array> => {
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
      pulled += 1;
      controller.enqueue(new Uint8Array(400));
    };
    return new ReadableStream({ pull }, { highWaterMark: 0 });
  };
  assertRefused(await ask(endpoint, post(stream())), tooLarge);
  assertRefused(await ask(endpoint, post(stream(), { "content-length": "5" })), tooLarge);
  assert.equal(pulled, 6);
  assertRefused(await ask(endpoint, post(stream(), { "content-length": "1001" })), tooLarge);
  assert.equal(pulled, 6);
  assert.equal(gateway.calls.length, 0);
});

test("a body that is there whole is held to the limit as one that comes in pieces, which is not asked for", async () => {
  const { gateway } = start();
  const endpoint = webEndpoint(gateway, { maxBodyBytes: 1000, maxInFlight: 64 });
  const request = (text: string): HttpRequest => {
    const { method, url, headers, signal } = post("");
    const pieces = [text.slice(0, 20), text.slice(20)].map((piece) => new TextEncoder().encode(piece));
    return { method, url, headers, signal, body: ReadableStream.from([new Uint8Array(5)]), whole: () => pieces };
  };
  assertRefused(await ask(endpoint, request(`${JSON.stringify(rpc("ping"))}${" ".repeat(1000)}`)), {
    status: 413,
    rpc: -32600,
    code: "MCP_PAYLOAD_TOO_LARGE",
  });
  assert.deepEqual((await ask(endpoint, request(JSON.stringify(rpc("ping"))))).body.result, {});
});

test("a body that breaks off is answered, not thrown", async () => {
  const { endpoint } = start();
  const broken = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(new Error("gone")) });
  assertRefused(await ask(endpoint, post(broken)), { status: 499, rpc: -32000, code: "REQUEST_CANCELLED" });
});

test("an invalid message is 400 with the id it has", async () => {
  const { endpoint } = start();
  const invalid = { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST" };
  assertRefused(await ask(endpoint, post({ ...rpc("ping", undefined, "a"), jsonrpc: "1.0" })), { ...invalid, id: "a" });
  assertRefused(await ask(endpoint, post({ ...rpc("ping"), id: null })), invalid);
  const batch = await ask(endpoint, post([rpc("ping")]));
  assertRefused(batch, invalid);
  assert.match(batch.body.error?.message ?? "", /batch/);
});

for (const [name, headers, status] of [
  ["no JSON content type", { "content-type": "text/plain" }, 415],
  ["another charset", { "content-type": "application/json; charset=latin1" }, 415],
  ["a compressed body", { "content-encoding": "gzip" }, 415],
  ["an Accept without JSON", { accept: "text/event-stream" }, 406],
  ["an Accept that refuses JSON", { accept: "text/html, application/json;q=0" }, 406],
] as const) {
  test(`${name} is refused with ${status}`, async () => {
    const { endpoint } = start();
    assertRefused(await ask(endpoint, post(rpc("ping"), headers)), {
      status,
      rpc: -32600,
      code: "MCP_INVALID_REQUEST",
    });
  });
}

test("Accept and charset as clients send them are taken", async () => {
  const { endpoint } = start();
  for (const accept of ["application/json, text/event-stream", "*/*", "application/*;q=0.5", "Application/JSON"]) {
    assert.equal(
      (await ask(endpoint, post(rpc("ping"), { accept, "content-type": 'application/json; charset="UTF-8"' }))).status,
      200,
    );
  }
});
