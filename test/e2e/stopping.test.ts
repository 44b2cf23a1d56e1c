import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, startGateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken } from "../gateway/principals.ts";
import { startTasksServer } from "../servers/tasks-server.ts";

test("a gateway that stops ends the streams agents listen on, in order and whole", { timeout: 60_000 * PATIENCE }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-stopping-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const server = await startTasksServer();
  t.after(() => server.close());
  const token = newToken();
  const gateway = await startGateway(await deploy(folder, { tools: [{ name: "slow", url: server.url }], policies: ALLOW_ALL }), developmentEnvironment(token));
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json, text/event-stream" };
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "agent", version: "1" } } };
  const opened = await fetch(gateway.mcp, { method: "POST", headers, body: JSON.stringify(initialize) });
  await opened.text();
  const legacy = await fetch(gateway.mcp, { headers: { ...headers, "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" } });
  const listen = { jsonrpc: "2.0", id: 7, method: "subscriptions/listen", params: { notifications: { toolsListChanged: true }, _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} } } };
  const modern = await fetch(gateway.mcp, { method: "POST", headers: { ...headers, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" }, body: JSON.stringify(listen) });
  assert.deepEqual([legacy.status, modern.status], [200, 200]);
  // A stream that is cut and not ended makes the reader fail.
  const [[first, second], code] = await Promise.all([Promise.all([legacy.text(), modern.text()]), gateway.stop()]);
  assert.equal(code, 0);
  assert.doesNotMatch(first, /data: \{/);
  assert.match(second, /"id":7,"result":/, "the subscription ends with its result");
});
