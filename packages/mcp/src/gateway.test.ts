/**
 * The whole way with nothing but real parts: official SDK clients, the ingress endpoint over HTTP, the
 * upstream client over TCP, and `server-everything`.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CmcpError } from "@cmcp/boundary";
import { UpstreamClient, type ToolCall, type ToolReply } from "./index.ts";
import { TestGateway, listen, type TestSession } from "./testing/gateway.ts";

const everything = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js");
const forever = new AbortController().signal;
const closers: (() => unknown)[] = [];
const gateway = new TestGateway();
let url: URL;
let upstream: UpstreamClient;

/** Starts `server-everything` and waits until it listens. */
async function startEverything(): Promise<number> {
  // It cannot say which port it got, so it is given one that was free a moment ago.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const probe = await listen(new TestGateway());
    const port = Number(probe.url.port);
    probe.server.close();
    await once(probe.server, "close");
    const child = spawn(process.execPath, [everything, "streamableHttp"], { env: { PORT: String(port) }, stdio: ["ignore", "ignore", "pipe"] });
    closers.push(() => child.kill());
    for await (const line of createInterface(child.stderr)) if (line.includes("listening")) return port;
  }
  throw new Error("server-everything did not start");
}

async function throughUpstream(call: ToolCall, session: TestSession, signal: AbortSignal): Promise<ToolReply> {
  if (call.name === "denied") return { ok: false, code: "POLICY_DENY", message: "policy does not allow this call", data: { call_id: "c-1", error_code: "POLICY_DENY" } };
  try {
    return { ok: true, result: await upstream.callTool(session.id, call.name, call.arguments, signal) };
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError);
    return { ok: false, code: thrown.code, message: thrown.message, data: { sent: thrown.detail.sent ?? -1 } };
  }
}

interface Agent {
  readonly callTool: (call: { name: string; arguments?: Record<string, unknown> }, signal?: AbortSignal) => Promise<unknown>;
  readonly listTools: () => Promise<{ tools: { name: string }[] }>;
  readonly ping: () => Promise<unknown>;
  readonly end: () => Promise<void>;
}

async function connectV2(mode: "legacy" | "auto"): Promise<Agent> {
  const client = new ClientV2({ name: "agent", version: "1" }, { versionNegotiation: { mode } });
  const transport = new TransportV2(url);
  await client.connect(transport);
  return {
    callTool: (call, signal) => client.callTool(call, signal === undefined ? {} : { signal }),
    listTools: () => client.listTools(),
    ping: () => client.ping(),
    end: async () => {
      await transport.terminateSession();
      await client.close();
    },
  };
}

const agents: Record<string, () => Promise<Agent>> = {
  "SDK v1": async () => {
    const client = new ClientV1({ name: "agent", version: "1" });
    const transport = new TransportV1(url);
    await client.connect(transport);
    return {
      callTool: (call, signal) => client.callTool(call, undefined, signal === undefined ? {} : { signal }),
      listTools: () => client.listTools(),
      ping: () => client.ping(),
      end: async () => {
        await transport.terminateSession();
        await client.close();
      },
    };
  },
  "SDK v2": () => connectV2("legacy"),
  "SDK v2, which asks for the modern era first": () => connectV2("auto"),
};

await test("agents through the gateway to server-everything", async (t) => {
  t.after(async () => {
    for (const close of closers.toReversed()) await close();
  });

  const port = await startEverything();
  upstream = new UpstreamClient({
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    dial: async (host, to) => {
      const socket = connect(to, host);
      await once(socket, "connect");
      return socket;
    },
    tls: { mode: "none" },
    clientInfo: { name: "gateway", version: "1" },
  });
  closers.push(() => upstream.close());
  const live = await upstream.listTools("catalog", forever);
  gateway.tools = live.map(({ name, description, inputSchema }) => ({ name: name as string, description: description as string, inputSchema: inputSchema as object as Record<string, never> }));
  gateway.reply = throughUpstream;
  const listening = await listen(gateway);
  url = listening.url;
  closers.push(() => listening.server.close());
  closers.push(() => listening.server.closeAllConnections());

  for (const [name, connectAgent] of Object.entries(agents)) {
    await t.test(`${name}: connects, lists, calls, is denied, cancels and ends its session`, async () => {
      const agent = await connectAgent();
      await agent.ping();
      assert.ok((await agent.listTools()).tools.some((tool) => tool.name === "echo"));
      assert.deepEqual(await agent.callTool({ name: "echo", arguments: { message: "grüße" } }), { content: [{ type: "text", text: "Echo: grüße" }] });
      await assert.rejects(agent.callTool({ name: "denied" }), (error: Error & { code?: unknown; data?: unknown }) => {
        assert.deepEqual([error.code, error.data], [-32000, { call_id: "c-1", error_code: "POLICY_DENY" }]);
        return true;
      });

      const going = new AbortController();
      const made = gateway.calls.length;
      const slow = assert.rejects(agent.callTool({ name: "trigger-long-running-operation", arguments: { duration: 30, steps: 2 } }, going.signal));
      while (gateway.calls.length === made) await new Promise((resolve) => setImmediate(resolve));
      going.abort();
      await slow;
      const cancelled = gateway.calls[made]?.signal;
      if (cancelled?.aborted === false) await once(cancelled, "abort");

      assert.deepEqual(await agent.callTool({ name: "get-sum", arguments: { a: 2, b: 40 } }), { content: [{ type: "text", text: "The sum of 2 and 40 is 42." }] });
      const before = gateway.ended.length;
      await agent.end();
      assert.equal(gateway.ended.length, before + 1);
    });
  }

  await t.test("a single POST without a session gets its answer, and a denial as 403", async () => {
    const post = (toolName: string): Promise<Response> =>
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: toolName, arguments: { message: "hi" }, _cmcp: { session_id: "s", workflow_id: "w" } } }),
      });
    const answered = await post("echo");
    assert.deepEqual(await answered.json(), { jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text: "Echo: hi" }] } });
    const denied = await post("denied");
    assert.equal(denied.status, 403);
  });

  await t.test("what server-everything sends and large arguments come through whole", async () => {
    const message = "ß".repeat(200_000);
    assert.deepEqual(await upstream.callTool("large", "echo", { message }, forever), { content: [{ type: "text", text: `Echo: ${message}` }] });
    const structured = await upstream.callTool("large", "get-structured-content", { location: "Chicago" }, forever);
    assert.equal(typeof structured.structuredContent, "object");
    await upstream.closeSession("large");
  });
});
