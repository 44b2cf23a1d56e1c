/**
 * The whole way with nothing but real parts: official SDK clients of both eras, the ingress endpoint over
 * HTTP, the upstream client over TCP, `server-everything`, and a modern server of the official SDK.
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
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { UpstreamClient, type AgentRequest, type Outcome, type ToolDefinition } from "./index.ts";
import { TestGateway, listen, type TestSession } from "./testing/gateway.ts";
import { ModernServer } from "./testing/modern-server.ts";
import { toolNamed } from "./testing/upstream.ts";

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
    const child = spawn(process.execPath, [everything, "streamableHttp"], {
      env: { PORT: String(port) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    closers.push(() => child.kill());
    for await (const line of createInterface(child.stderr)) if (line.includes("listening")) return port;
  }
  throw new Error("server-everything did not start");
}

async function throughUpstream(call: AgentRequest, session: TestSession, signal: AbortSignal): Promise<Outcome> {
  if (call.name === "denied")
    return {
      kind: "error",
      code: "POLICY_DENY",
      message: "policy does not allow this call",
      data: { call_id: "c-1", error_code: "POLICY_DENY" },
    };
  try {
    const tools = gateway.tools as unknown as readonly ToolDefinition[];
    const tool = tools.find(({ name }) => name === call.name) ?? toolNamed(call.name);
    return { kind: "result", result: await upstream.callTool(session.id, tool, call.arguments, signal) };
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError);
    return { kind: "error", code: thrown.code, message: thrown.message, data: { sent: thrown.detail.sent ?? -1 } };
  }
}

interface Agent {
  readonly callTool: (
    call: { name: string; arguments?: Record<string, unknown> },
    signal?: AbortSignal,
  ) => Promise<unknown>;
  readonly listTools: () => Promise<{ tools: { name: string }[] }>;
  /** What only the legacy era has: a ping, and a session to end. */
  readonly session: { readonly ping: () => Promise<unknown>; readonly terminate: () => Promise<void> } | null;
  readonly close: () => Promise<void>;
}

async function connectV2(mode: "legacy" | "auto" | { pin: string }): Promise<Agent> {
  const client = new ClientV2({ name: "agent", version: "1" }, { versionNegotiation: { mode } });
  const transport = new TransportV2(url);
  await client.connect(transport);
  assert.equal(client.getProtocolEra(), mode === "legacy" ? "legacy" : "modern");
  return {
    callTool: (call, signal) => client.callTool(call, signal === undefined ? {} : { signal }),
    listTools: () => client.listTools(),
    session: mode === "legacy" ? { ping: () => client.ping(), terminate: () => transport.terminateSession() } : null,
    close: () => client.close(),
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
      session: { ping: () => client.ping(), terminate: () => transport.terminateSession() },
      close: () => client.close(),
    };
  },
  "SDK v2 in the legacy era": () => connectV2("legacy"),
  "SDK v2, which asks for the modern era first": () => connectV2("auto"),
  "SDK v2 in the modern era alone": () => connectV2({ pin: "2026-07-28" }),
};

function connectUpstream(to: URL): UpstreamClient {
  const client = new UpstreamClient({
    url: to,
    dial: async (host, port) => {
      const socket = connect(port, host);
      await once(socket, "connect");
      return socket;
    },
    tls: { mode: "none" },
    clientInfo: { name: "gateway", version: "1" },
  });
  closers.push(() => client.close());
  return client;
}

/** Shows agents the tools of a server and sends their calls there. */
async function useUpstream(to: UpstreamClient): Promise<void> {
  upstream = to;
  const live = await to.listTools("catalog", forever);
  gateway.tools = live.map(({ name, description, inputSchema, outputSchema }) => ({
    name: name as string,
    description: description as string,
    inputSchema: inputSchema as JsonObject,
    ...(outputSchema === undefined ? {} : { outputSchema: outputSchema as JsonObject }),
  }));
}

async function throughGateway(connectAgent: () => Promise<Agent>): Promise<void> {
  const agent = await connectAgent();
  await agent.session?.ping();
  assert.ok((await agent.listTools()).tools.some((tool) => tool.name === "echo"));
  assert.deepEqual(contentOf(await agent.callTool({ name: "echo", arguments: { message: "grüße" } })), [
    { type: "text", text: "Echo: grüße" },
  ]);
  const denied = (await agent.callTool({ name: "denied" })) as JsonObject & { readonly _meta?: JsonObject };
  assert.deepEqual(
    [denied.isError, denied._meta?.["cmcp.gateway/error"]],
    [true, { code: "POLICY_DENY", advice: "give-up" }],
  );

  const going = new AbortController();
  const made = gateway.calls.length;
  const slow = assert.rejects(
    agent.callTool({ name: "trigger-long-running-operation", arguments: { duration: 30, steps: 2 } }, going.signal),
  );
  while (gateway.calls.length === made) await new Promise((resolve) => setImmediate(resolve));
  going.abort();
  await slow;
  const cancelled = gateway.calls[made]?.signal;
  if (cancelled?.aborted === false) await once(cancelled, "abort");

  assert.deepEqual(contentOf(await agent.callTool({ name: "get-sum", arguments: { a: 2, b: 40 } })), [
    { type: "text", text: "The sum of 2 and 40 is 42." },
  ]);
  const before = gateway.ended.length;
  await agent.session?.terminate();
  await agent.close();
  assert.equal(gateway.ended.length, before + (agent.session === null ? 0 : 1));
}

function contentOf(result: unknown): unknown {
  return (result as { content?: unknown }).content;
}

test("agents of both eras through the gateway to servers of both", async (t) => {
  t.after(async () => {
    for (const close of closers.toReversed()) await close();
  });

  gateway.reply = throughUpstream;
  const listening = await listen(gateway);
  url = listening.url;
  closers.push(() => listening.server.close());
  closers.push(() => listening.server.closeAllConnections());
  const modernServer = new ModernServer();
  const modern = await modernServer.listen();
  closers.push(() => modern.server.close());
  closers.push(() => modern.server.closeAllConnections());
  const toModern = connectUpstream(modern.url);
  const toLegacy = connectUpstream(new URL(`http://127.0.0.1:${await startEverything()}/mcp`));

  for (const [server, client] of [
    ["a modern server", toModern],
    ["server-everything, a legacy one", toLegacy],
  ] as const) {
    await useUpstream(client);
    for (const [name, connectAgent] of Object.entries(agents)) {
      await t.test(`${name} to ${server}: connects, lists, calls, is denied and cancels`, () =>
        throughGateway(connectAgent),
      );
    }
  }

  await t.test(
    "a call cancelled by its agent is cancelled at the modern server, which was never asked for a session",
    async () => {
      assert.equal(modernServer.running.length, Object.keys(agents).length);
      for (const signal of modernServer.running) if (!signal.aborted) await once(signal, "abort");
      assert.ok(
        modernServer.headers.every(
          (headers) => headers.get("mcp-protocol-version") === "2026-07-28" && !headers.has("mcp-session-id"),
        ),
      );
    },
  );

  await t.test("what only a modern server does reaches agents of both eras as each can take it", async () => {
    await useUpstream(toModern);
    const schemaOf = gateway.tools as unknown as readonly ToolDefinition[];
    const inputSchema = schemaOf.find((tool) => tool.name === "by-region")?.inputSchema ?? {};
    assert.match(JSON.stringify(inputSchema), /x-mcp-header/);
    assert.deepEqual(
      await toModern.callTool("s", { name: "by-region", inputSchema }, { region: "größe" }, forever).then(contentOf),
      [{ type: "text", text: "größe" }],
    );
    const unmirrored = toModern.callTool("s", toolNamed("by-region"), { region: "eu" }, forever);
    await assert.rejects(
      unmirrored,
      (error: CmcpError) => error.code === "UPSTREAM_CALL_REFUSED" && error.detail.rpc_code === -32020,
    );
    for (const mode of ["legacy", "auto"] as const) {
      const agent = await connectV2(mode);
      await agent.listTools();
      const listed = (await agent.callTool({ name: "list" })) as { content: unknown; structuredContent?: unknown };
      assert.deepEqual(
        [listed.content, listed.structuredContent],
        mode === "legacy"
          ? [[{ type: "text", text: "[1,2]" }], undefined]
          : [[{ type: "text", text: "[1,2]" }], [1, 2]],
      );
      const asks = (await agent.callTool({ name: "asks" })) as { _meta?: JsonObject };
      assert.deepEqual(asks._meta?.["cmcp.gateway/error"], { code: "UPSTREAM_INPUT_REQUIRED", advice: "give-up" });
      await agent.close();
    }
  });

  await t.test("a refusal of the era itself reaches the official client with its code and data", async () => {
    const client = new ClientV2({ name: "agent", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new TransportV2(url));
    await assert.rejects(
      client.callTool({ name: "echo", arguments: {}, _cmcp: { other: 1 } } as { name: string }),
      (error: Error & { code?: unknown; data?: { error_code?: unknown } }) => {
        assert.deepEqual([error.code, error.data?.error_code], [-32602, "MCP_INVALID_REQUEST"]);
        return true;
      },
    );
    await client.callTool({ name: "echo", arguments: { message: "x" }, _cmcp: { session_id: "mine" } } as {
      name: string;
    });
    assert.equal(gateway.calls.at(-1)?.session.id, "alice/mine");
    await client.close();
  });

  await useUpstream(toLegacy);
  await t.test("a single POST without a session gets its answer, and a denial as 403", async () => {
    const post = (toolName: string): Promise<Response> =>
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: toolName, arguments: { message: "hi" }, _cmcp: { session_id: "s", workflow_id: "w" } },
        }),
      });
    const answered = await post("echo");
    assert.deepEqual(await answered.json(), {
      jsonrpc: "2.0",
      id: 1,
      result: { content: [{ type: "text", text: "Echo: hi" }] },
    });
    const denied = await post("denied");
    assert.equal(denied.status, 403);
  });

  await t.test("what server-everything sends and large arguments come through whole", async () => {
    const message = "ß".repeat(200_000);
    assert.deepEqual(await upstream.callTool("large", toolNamed("echo"), { message }, forever), {
      content: [{ type: "text", text: `Echo: ${message}` }],
    });
    const structured = await upstream.callTool(
      "large",
      toolNamed("get-structured-content"),
      { location: "Chicago" },
      forever,
    );
    assert.equal(typeof structured.structuredContent, "object");
    await upstream.closeSession("large");
  });
});
