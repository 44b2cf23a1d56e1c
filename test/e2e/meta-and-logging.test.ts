import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import type { JsonObject } from "@cmcp/boundary";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken } from "../gateway/principals.ts";
import { LOGS, startLoggingServer, type LoggingServer } from "../servers/logging-server.ts";
import { SLOW_TOOL, startTasksServer, type TasksServer } from "../servers/tasks-server.ts";

const TRACE = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "vendor=1",
};
/** What ends at the gateway. */
const OWN = {
  baggage: "user=1",
  "com.example/key": { a: [1] },
  progressToken: "p",
  _cmcp: { forged: 1 },
  "cmcp.gateway/receipt": { forged: 1 },
  "io.modelcontextprotocol/related-task": { taskId: "x" },
};

describe("metadata and log levels on their way to servers of both eras", { timeout: 60_000 * PATIENCE }, () => {
  let legacy: LoggingServer;
  let modern: TasksServer;
  let gateway: Gateway;
  let folder = "";
  const token = newToken();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-meta-"));
    [legacy, modern] = [await startLoggingServer(), await startTasksServer()];
    const tools = [
      { name: LOGS, url: legacy.url },
      { name: SLOW_TOOL.name, url: modern.url, inputSchema: SLOW_TOOL.inputSchema },
    ];
    gateway = await startInProcess(await deploy(folder, { tools, policies: ALLOW_ALL }), developmentEnvironment(token));
  });
  after(async () => {
    await gateway?.stop();
    await legacy?.close();
    await modern?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function agent(heard: string[]): Promise<Client> {
    const client = new Client({ name: "agent", version: "1" });
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.push(params.level));
    await client.connect(
      new StreamableHTTPClientTransport(new URL(gateway.mcp), {
        requestInit: { headers: { authorization: `Bearer ${token}` } },
      }),
    );
    return client;
  }
  const lastMeta = (): JsonObject =>
    modern.messages.findLast(({ method }) => method === "tools/call")?.params._meta as JsonObject;

  test("trace context reaches servers, and nothing else of the metadata does", async () => {
    const client = clientOf(gateway, token);
    const call = async (name: string, meta: JsonObject | null): Promise<void> => {
      await client.rpc("tools/call", {
        name,
        arguments: {},
        ...(meta === null ? {} : { _meta: meta }),
        _cmcp: { session_id: "traced" },
      });
    };
    await call(LOGS, { ...TRACE, ...OWN });
    assert.deepEqual(legacy.metas.at(-1), TRACE);
    await call(SLOW_TOOL.name, { ...TRACE, ...OWN });
    const {
      "io.modelcontextprotocol/protocolVersion": version,
      "io.modelcontextprotocol/clientInfo": info,
      "io.modelcontextprotocol/clientCapabilities": capabilities,
      ...rest
    } = lastMeta();
    assert.deepEqual(
      [version, (info as JsonObject).name, capabilities, rest],
      ["2026-07-28", "cmcp-gateway", {}, TRACE],
    );
    await call(LOGS, null);
    assert.equal(legacy.metas.at(-1), undefined);
  });

  test("however much metadata there is, none of it but the trace reaches a server", async () => {
    const { status } = await clientOf(gateway, token).rpc("tools/call", {
      name: LOGS,
      arguments: {},
      _meta: { "com.example/big": "x".repeat(20_000), traceparent: "not a trace" },
    });
    assert.deepEqual([status, legacy.metas.at(-1)], [200, undefined]);
  });

  test("the level an agent sets reaches a legacy server, and each agent hears its own", async () => {
    const [loud, quiet]: [string[], string[]] = [[], []];
    const [one, two] = [await agent(loud), await agent(quiet)];
    await one.setLoggingLevel("info");
    await two.setLoggingLevel("error");
    await one.callTool({ name: LOGS });
    await two.callTool({ name: LOGS });
    assert.deepEqual([loud, quiet], [["info", "warning", "error"], ["error"]]);
    assert.deepEqual(
      legacy.levels.map(({ level }) => level),
      ["info", "error"],
    );
    assert.equal(new Set(legacy.levels.map(({ session }) => session)).size, 2, "each has a session of its own there");
    await one.close();
    await two.close();
  });

  test("the level an agent sets reaches a modern server in the envelope of its calls", async () => {
    const client = await agent([]);
    await client.callTool({ name: SLOW_TOOL.name, arguments: {} });
    assert.equal(lastMeta()["io.modelcontextprotocol/logLevel"], undefined);
    await client.setLoggingLevel("warning");
    await client.callTool({ name: SLOW_TOOL.name, arguments: {} });
    assert.equal(lastMeta()["io.modelcontextprotocol/logLevel"], "warning");
    await client.close();
  });
});
