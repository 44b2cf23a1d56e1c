/** JSON-RPC batches of a tool server, as an agent of the official SDK finds them. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { refusedCode } from "../gateway/refused-call.ts";
import { startBatchingServer } from "../servers/batching-server.ts";

test("a batch reaches the agent message by message where the server's version has batches, and is refused where it has none", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const server = await startBatchingServer();
  t.after(() => server.close());
  const folder = await mkdtemp(join(tmpdir(), "cmcp-server-batches-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tools = ["2025-03-26", "2025-06-18"].map((version) => ({
    name: `of-${version}`,
    url: server.url(version),
    transport: "http-sse" as const,
  }));
  const token = randomBytes(32).toString("base64url");
  const gateway = await startInProcess(
    await deploy(folder, { tools, policies: ALLOW_ALL, config: "catalog: {drift_policy: warn_only}\n" }),
    developmentEnvironment(token),
  );
  t.after(() => gateway.stop());
  const client = new Client({ name: "agent", version: "1" });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.mcp), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
  );
  t.after(() => client.close());

  const seen: number[] = [];
  const { content } = await client.callTool({ name: "of-2025-03-26", arguments: {} }, undefined, {
    onprogress: ({ progress }) => seen.push(progress),
  });
  assert.deepEqual([content, seen], [[{ type: "text", text: "in a batch of 2025-03-26" }], [1]]);
  const refused = await client.callTool({ name: "of-2025-06-18", arguments: {} });
  assert.equal(refusedCode(refused), "UPSTREAM_PROTOCOL_ERROR");
});
