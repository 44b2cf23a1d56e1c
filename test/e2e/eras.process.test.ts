/** Agents and servers of both eras, all of the official SDKs, through the gateway as shipped. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { startGatewayBefore, type Endpoint } from "../conformance/gateway.ts";
import { startReferenceServer, type ReferenceServer } from "../conformance/reference-server/server.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { refusedCode } from "../gateway/refused-call.ts";

for (const serverVersion of ["2025-11-25", "2026-07-28"] as const) {
  describe(`in front of a server that speaks ${serverVersion} alone`, { timeout: 60_000 * PATIENCE }, () => {
    let folder = "";
    let server: ReferenceServer;
    let gateway: Endpoint;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "cmcp-eras-"));
      server = await startReferenceServer(serverVersion);
      gateway = await startGatewayBefore(server.url, join(folder, "d"), { imported: [], channel: "plain" });
    });
    after(async () => {
      await gateway?.stop();
      await server?.close();
      await rm(folder, { recursive: true, force: true });
    });

    for (const [era, mode] of [
      ["legacy", "legacy"],
      ["modern", "auto"],
    ] as const) {
      test(`an agent of the ${era} era lists, calls, is told of progress and of a tool's error`, async () => {
        const agent = new Client({ name: "agent", version: "1" }, { versionNegotiation: { mode } });
        await agent.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp)));
        assert.equal(agent.getProtocolEra(), era);
        const names = (await agent.listTools()).tools.map(({ name }) => name);
        for (const wanted of ["test_simple_text", "test_tool_with_progress", "test_error_handling"])
          assert.ok(names.includes(wanted), `${wanted} of ${names.join(", ")}`);
        const { content, _meta: meta } = await agent.callTool({ name: "test_simple_text", arguments: {} });
        assert.equal(content[0]?.type, "text");
        assert.ok(meta?.["cmcp.gateway/receipt"] !== undefined, "the call has its receipt");
        const seen: number[] = [];
        await agent.callTool(
          { name: "test_tool_with_progress", arguments: {} },
          { onprogress: ({ progress }) => seen.push(progress) },
        );
        assert.ok(seen.length > 0, "progress reached the agent");
        const failed = await agent.callTool({ name: "test_error_handling", arguments: {} });
        assert.equal(failed.isError, true, "a tool's own error is a result");
        assert.equal(
          refusedCode(await agent.callTool({ name: "not_in_catalog", arguments: {} })),
          "TOOL_NOT_IN_CATALOG",
        );
        await agent.close();
      });
    }
  });
}
