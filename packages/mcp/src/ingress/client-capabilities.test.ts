import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { ask, initializeParams, post, rpc, start } from "../testing/ask.ts";
import { modernRequest } from "../testing/modern-request.ts";

const STREAMS = { accept: "application/json, text/event-stream" };
const CALL = rpc("tools/call", { name: "tool" });

/** What servers may be told of an agent that opens a session of this version with these capabilities. */
async function told(version: string, capabilities: JsonObject): Promise<JsonObject | undefined> {
  const { gateway, endpoint } = start();
  const { headers } = await ask(endpoint, post(rpc("initialize", { ...initializeParams(version), capabilities })));
  let seen: JsonObject | undefined;
  gateway.reply = (_call, _session, _signal, peer) => {
    seen = peer.capabilities;
    return { ok: true, result: {} };
  };
  await ask(endpoint, post(CALL, { ...STREAMS, "mcp-session-id": headers.get("mcp-session-id") ?? "" }));
  return seen;
}

test("servers are not told that an agent would say when its roots change, as that is not passed on", async () => {
  assert.deepEqual(await told("2025-11-25", { roots: { listChanged: true }, elicitation: { form: {} } }), {
    roots: {},
    elicitation: { form: {} },
  });
  const { gateway, endpoint } = start();
  let seen: JsonObject | undefined;
  gateway.reply = (_call, _session, _signal, peer) => {
    seen = peer.capabilities;
    return { ok: true, result: {} };
  };
  await ask(
    endpoint,
    modernRequest("tools/call", {
      params: { name: "tool" },
      meta: { "io.modelcontextprotocol/clientCapabilities": { roots: { listChanged: true } } },
    }),
  );
  assert.deepEqual(seen, { roots: {} });
});

test("sampling takes context in versions that have no capability for it", async () => {
  assert.deepEqual(await told("2025-11-25", { sampling: {} }), { sampling: {} });
  for (const version of ["2025-06-18", "2025-03-26"])
    assert.deepEqual(await told(version, { sampling: {}, roots: {} }), { sampling: { context: {} }, roots: {} });
});
