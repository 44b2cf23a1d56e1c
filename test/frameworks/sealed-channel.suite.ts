/** Clients that know no seal reach a gateway that takes nothing else, through `cmcp connect` and as docs/how-to/seal-requests.md says. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, suite, test } from "node:test";
import { promisify } from "node:util";
import { RECEIPT_META_KEY, receiptSchema } from "@cmcp/audit/schema";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport, getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { Inspector, overHttp } from "../demo/inspector.ts";
import { startConnect, type Connected } from "../gateway/connected.ts";
import { ROOT } from "../gateway/deployment.ts";
import { answerOf, sentenceOf } from "./answer.ts";
import { startMessageGateway, type MessageGateway } from "./deployment.ts";
import { FRAMEWORKS, PYTHON_SDK } from "./frameworks.ts";
import { shownBlock, shownConfiguration, shownForVsCode, type Filled } from "../docs/shown-configuration.ts";
import type { ScriptedCall, ServerCommand } from "./task.ts";

const FIRST: ScriptedCall = { tool: "send_message", arguments: { to: "ward@clinic.example", text: "bed 4" } };
const DENIED: ScriptedCall = { tool: "send_message", arguments: { to: "desk@paper.example", text: "bed 4" } };
const SENT = "sent to ward@clinic.example";
const ERAS = [
  { mode: "legacy", era: "legacy", protocol: "2025-11-25" },
  { mode: "auto", era: "modern", protocol: "2026-07-28" },
] as const;
const MCP_REMOTE = join(dirname(createRequire(import.meta.url).resolve("mcp-remote/package.json")), "dist/proxy.js");

suite("a client that knows no seal, and a gateway that takes nothing else", () => {
  let gateway: MessageGateway;
  let connected: Connected;
  let folder: string;
  let filled: Filled;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-sealed-"));
    gateway = await startMessageGateway({ channel: "sealed" });
    connected = await startConnect(gateway.base);
    filled = { "http://127.0.0.1:8443": gateway.base, "…": gateway.token };
  });
  after(async () => {
    await connected.stop();
    await gateway.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts a server as desktop clients do, calls a tool over its standard input and output, and ends it. */
  async function callsOver({ command, args, env }: ServerCommand, mode: "legacy" | "auto"): Promise<string> {
    const client = new Client({ name: "desktop", version: "1" }, { versionNegotiation: { mode } });
    const environment = { ...getDefaultEnvironment(), ...env };
    await client.connect(new StdioClientTransport({ command, args: [...args], env: environment, stderr: "ignore" }));
    try {
      const { content, _meta: meta } = await client.callTool({ name: FIRST.tool, arguments: { ...FIRST.arguments } });
      assert.deepEqual(content, [{ type: "text", text: SENT }]);
      assert.equal(receiptSchema.parse(meta?.[RECEIPT_META_KEY]).channel, "sealed");
      return client.getNegotiatedProtocolVersion() ?? "";
    } finally {
      await client.close();
    }
  }

  test("without the seal the same clients are refused", async () => {
    for (const mode of ["legacy", "auto"] as const)
      await assert.rejects(answerOf({ url: gateway.url, token: gateway.token, mode }, FIRST), /SEAL_REQUIRED|403/);
  });

  for (const { name, agent, mode, protocol } of FRAMEWORKS)
    test(`${name} calls over HTTP (${protocol})`, async () => {
      const where = { url: connected.mcp, token: gateway.token, mode };
      const before = gateway.records.calls.length;
      const run = await agent({ ...where, listOnce: false, calls: [FIRST, DENIED, FIRST] });
      assert.deepEqual([run.protocol, run.end], [protocol, "done"]);
      const refused = sentenceOf(await answerOf(where, DENIED));
      assert.deepEqual(
        run.answers.map(({ text }) => text),
        [SENT, refused, SENT],
      );
      assert.equal(gateway.records.calls.length - before, 2);
    });

  for (const { mode, protocol } of ERAS)
    test(`a desktop client starts what the page's mcpServers says (${protocol})`, async () => {
      const { server } = shownConfiguration("development", filled);
      assert.equal(await callsOver(server, mode), protocol);
    });

  test("a client of the SDK's first major version starts it too", async () => {
    const { server } = shownConfiguration("development", filled);
    const client = new V1Client({ name: "desktop", version: "1" });
    const env = { ...getDefaultEnvironment(), ...server.env };
    await client.connect(new V1Transport({ command: server.command, args: [...server.args], env, stderr: "ignore" }));
    const { content } = await client.callTool({ name: FIRST.tool, arguments: { ...FIRST.arguments } });
    assert.deepEqual(content, [{ type: "text", text: SENT }]);
    await client.close();
  });

  for (const { mode, protocol } of ERAS)
    test(`VS Code's configuration says the same server (${protocol})`, async () => {
      const server = shownForVsCode({ "http://127.0.0.1:8443": gateway.base }, gateway.token);
      assert.deepEqual(server, shownConfiguration("development", filled).server);
      assert.equal(await callsOver(server, mode), protocol);
    });

  for (const { name, agent, mode, protocol } of PYTHON_SDK)
    test(`${name} starts what the page's mcpServers says (${protocol})`, async () => {
      const { server } = shownConfiguration("development", filled);
      const run = await agent({ url: "", token: "", server, mode, listOnce: false, calls: [FIRST] });
      assert.deepEqual(run, { protocol, answers: [{ text: SENT, error: false }], end: "done" });
    });

  test("the page's program in Python runs as it stands", async () => {
    const program = join(folder, "agent.py");
    await writeFile(program, shownBlock("python", "run", filled));
    const python = join(ROOT, ".cache/frameworks/mcp/venv/bin/python");
    const { stdout } = await promisify(execFile)(python, [program], { timeout: 60_000 });
    assert.equal(stdout, `${SENT}\n`);
  });

  for (const { era, protocol } of ERAS)
    test(`the Inspector calls over HTTP, and starts what the page's mcpServers says (${protocol})`, async () => {
      const config = join(folder, "mcp.json");
      await writeFile(config, shownConfiguration("development", filled).text);
      const started = ["--config", config, "--server", "gateway"];
      for (const server of [started, overHttp(connected.mcp, gateway.token)]) {
        const inspector = new Inspector([...server, "--protocol-era", era], join(folder, "inspector"));
        const { code, stdout, stderr } = await inspector.call(FIRST.tool, FIRST.arguments as Record<string, string>);
        assert.equal(code, 0, stderr);
        assert.equal((JSON.parse(stdout) as { content: { text: string }[] }).content[0]?.text, SENT);
      }
    });

  for (const words of [[], ["--protocol", "auto"]])
    test(`mcp-remote in between works ${words.join(" ")}`, async () => {
      const server = {
        command: process.execPath,
        args: [MCP_REMOTE, connected.mcp, "--header", "Authorization:${AUTH_HEADER}", ...words],
        env: { AUTH_HEADER: `Bearer ${gateway.token}`, MCP_REMOTE_CONFIG_DIR: join(folder, "mcp-remote") },
      };
      assert.equal(await callsOver(server, "legacy"), "2025-11-25");
    });
});
