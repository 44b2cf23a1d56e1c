import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer, type UpstreamAnswer } from "../../peer.ts";
import { ScriptedServer, json, reply } from "../../testing/scripted-server.ts";
import { faultOf, forever, plainClient } from "../../testing/upstream.ts";

/** What a caller with these capabilities gets of a modern server that requires this input. */
async function required(t: TestContext, inputRequests: JsonObject, peer: Partial<Peer>): Promise<UpstreamAnswer> {
  const server = await ScriptedServer.start(
    (request, socket) =>
      void socket.write(json(reply(request, { resultType: "input_required", inputRequests, requestState: "s" }))),
  );
  server.handshake = {
    discover: (request) =>
      json(reply(request, { supportedVersions: ["2026-07-28"], capabilities: {}, ttlMs: 0, cacheScope: "private" })),
  };
  const client = plainClient(t, server.url, server.dial);
  t.after(() => server.close());
  return await client.request(
    "s",
    { method: "tools/call", params: { name: "tool", arguments: {} } },
    { ...silentPeer(forever), input: "retry", ...peer },
  );
}

const URL_MODE = { q: { method: "elicitation/create", params: { mode: "url", url: "https://tools.example/" } } };

for (const input of ["retry", "ask"] as const) {
  test(`a modern server's need is passed on as the caller can be asked for it (${input})`, async (t) => {
    const capabilities = { elicitation: {}, sampling: {}, roots: {} };
    const form = { method: "elicitation/create", params: { message: "name?" } };
    const sampled = { method: "sampling/createMessage", params: { maxTokens: 1, includeContext: "thisServer" } };
    const answer = await required(t, { form, sampled, roots: { method: "roots/list" } }, { capabilities, input });
    assert.deepEqual(answer, {
      kind: "input_required",
      inputRequests: { form, sampled: { ...sampled, params: { maxTokens: 1 } }, roots: { method: "roots/list" } },
      requestState: "s",
    });
  });

  for (const [name, inputRequests, code] of [
    ["a mode of elicitation it did not declare", URL_MODE, "UPSTREAM_INPUT_REQUIRED"],
    ["what it did not declare at all", { q: { method: "roots/list" } }, "UPSTREAM_INPUT_REQUIRED"],
    ["something that is no request", { q: "name?" }, "UPSTREAM_PROTOCOL_ERROR"],
    ["something without a method", { q: { params: {} } }, "UPSTREAM_PROTOCOL_ERROR"],
    [
      "something with parameters by position",
      { q: { method: "elicitation/create", params: [] } },
      "UPSTREAM_PROTOCOL_ERROR",
    ],
  ] as const satisfies readonly (readonly [string, JsonObject, string])[]) {
    test(`a caller is not asked for ${name} (${input})`, async (t) => {
      const fault = await faultOf(required(t, inputRequests, { capabilities: { elicitation: {} }, input }));
      assert.deepEqual([fault.code, fault.detail.sent], [code, 1]);
    });
  }
}

test("who can be asked for nothing is told what was needed, and says so itself", async (t) => {
  assert.deepEqual(await required(t, URL_MODE, { input: "none" }), {
    kind: "input_required",
    inputRequests: URL_MODE,
    requestState: "s",
  });
});
