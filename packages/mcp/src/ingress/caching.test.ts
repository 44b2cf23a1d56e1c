import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, initialized, post, rpc, start } from "../testing/ask.ts";
import { modernRequest } from "../testing/modern-request.ts";

test("what a server says of keeping a resource reaches modern agents as private, and legacy ones not at all", async () => {
  const { endpoint, gateway } = start();
  const contents = [{ uri: "file:///a", text: "hello" }];
  gateway.reply = () => ({ kind: "result", result: { contents, ttlMs: 5, cacheScope: "public" } });
  const { body } = await ask(
    endpoint,
    modernRequest("resources/read", { params: { uri: "file:///a" }, headers: { "mcp-name": "file:///a" } }),
  );
  assert.deepEqual([body.result?.contents, body.result?.ttlMs, body.result?.cacheScope], [contents, 5, "private"]);
  const read = rpc("resources/read", { uri: "file:///a" });
  for (const request of [post(read), post(read, await initialized(endpoint))])
    assert.deepEqual((await ask(endpoint, request)).body.result, { contents });
});
