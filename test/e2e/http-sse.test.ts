import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { refusedCode } from "../gateway/refused-call.ts";
import { freePort } from "../servers/everything-server.ts";

const entry = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/package.json")),
  "dist/index.js",
);

describe("a server of the old HTTP with SSE", { timeout: 60_000 * PATIENCE }, () => {
  let folder = "";
  let gateway: Gateway;
  let stop: () => void = () => undefined;
  let client: Client;

  before(async () => {
    const port = await freePort();
    const server = spawn(process.execPath, [entry, "sse"], {
      env: { PATH: process.env["PATH"], PORT: String(port) },
      stdio: "ignore",
    });
    stop = () => server.kill("SIGKILL");
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if (
        await fetch(`http://127.0.0.1:${port}/none`).then(
          () => true,
          () => false,
        )
      )
        break;
      await sleep(100);
    }
    folder = await mkdtemp(join(tmpdir(), "cmcp-sse-"));
    const url = `http://127.0.0.1:${port}/sse`;
    const number = { type: "number" };
    const tools = [
      { name: "echo", url, inputSchema: { type: "object", properties: { message: { type: "string" } } } },
      {
        name: "trigger-long-running-operation",
        url,
        inputSchema: { type: "object", properties: { duration: number, steps: number } },
      },
      { name: "not-there", url },
    ].map((tool) => ({ ...tool, transport: "http-sse" as const }));
    const config = await deploy(folder, { tools, policies: ALLOW_ALL, config: "catalog: {drift_policy: warn_only}\n" });
    const token = randomBytes(32).toString("base64url");
    gateway = await startInProcess(config, developmentEnvironment(token));
    client = new Client({ name: "agent", version: "1" });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(gateway.mcp), {
        requestInit: { headers: { authorization: `Bearer ${token}` } },
      }),
    );
  });
  after(async () => {
    await client?.close();
    await gateway?.stop();
    stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("its tools are called, and its progress and refusals come through", async () => {
    assert.deepEqual((await client.callTool({ name: "echo", arguments: { message: "hi" } })).content, [
      { type: "text", text: "Echo: hi" },
    ]);
    const seen: number[] = [];
    await client.callTool({ name: "trigger-long-running-operation", arguments: { duration: 1, steps: 2 } }, undefined, {
      onprogress: ({ progress }) => seen.push(progress),
    });
    assert.deepEqual(seen, [1, 2]);
    const unknown = await client
      .callTool({ name: "not-there", arguments: {} })
      .catch((error: { code?: number }) => error);
    assert.match(JSON.stringify(unknown), /not-there|-32602/);
  });

  test("its end is a fault of the call, and other sessions get a new connection", async () => {
    stop();
    const failed = await client.callTool({ name: "echo", arguments: { message: "hi" } });
    assert.match(refusedCode(failed) ?? "", /^(?:UPSTREAM_UNAVAILABLE|CATALOG_DRIFT_DETECTED)$/);
  });
});
