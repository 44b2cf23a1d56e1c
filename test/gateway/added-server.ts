/** Deployments to which `cmcp server add` adds servers, for tests. */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { cmcp, type CommandResult } from "./cli.ts";
import { startGateway, StartRefused } from "./gateway.ts";

export const EMAIL = ["--approved-by", "you@example.com"];
/** How long adding one server may take: its packages come over the network. */
export const ADD_MS = 400_000;
export const DEVELOPMENT = { CMCP_DEV_MODE: "1" };

export interface Added {
  readonly tree: string | null;
  readonly lock_file: string | null;
  readonly packages: readonly { readonly name: string; readonly version: string; readonly integrity: string }[];
  readonly reads: readonly string[];
  readonly others: readonly string[];
  readonly closed: readonly string[];
  readonly renamed: readonly { readonly name: string; readonly at_server: string }[];
}

/** A deployment without a server. */
export async function deployment(folder: string): Promise<string> {
  const made = join(folder, "gateway");
  const { code, stderr } = await cmcp(["init", made, ...EMAIL, "--listen", "127.0.0.1:0"]);
  assert.equal(code, 0, stderr);
  return join(made, "cmcp-config.yaml");
}

export async function add(config: string, source: string, ...args: readonly string[]): Promise<CommandResult> {
  return await cmcp(["server", "add", source, "--config", config, ...EMAIL, ...args, "--json"], {}, ADD_MS);
}

export async function added(config: string, source: string, ...args: readonly string[]): Promise<Added> {
  const { code, stdout, stderr } = await add(config, source, ...args);
  assert.equal(code, 0, stdout + stderr);
  return JSON.parse(stdout) as Added;
}

/** {@link added}; `null`, and the test is skipped, where the machine or its registries do not have what is needed. */
export async function addedOrSkipped(
  t: TestContext,
  config: string,
  source: string,
  ...args: readonly string[]
): Promise<Added | null> {
  const run = await add(config, source, ...args);
  const { code = "" } = (JSON.parse(run.stdout) as { error?: { code?: string } }).error ?? {};
  if (process.env["CMCP_REQUIRE_ALL"] !== "1" && ["PROGRAM_MISSING", "PACKAGE_UNAVAILABLE"].includes(code)) {
    t.skip(`${source} cannot be had here: ${run.stdout}`);
    return null;
  }
  assert.equal(run.code, 0, run.stdout + run.stderr);
  return JSON.parse(run.stdout) as Added;
}

export async function errorOf(run: Promise<CommandResult>): Promise<{ code: string; message: string; exit: number }> {
  const { code: exit, stdout } = await run;
  const { code, message } = (JSON.parse(stdout) as { error: { code: string; message: string } }).error;
  return { code, message, exit };
}

/** Starts the deployment, and connects the official client. */
export async function agentOf(t: TestContext, config: string): Promise<Client> {
  const gateway = await startGateway(config, {}).catch(async (thrown: unknown) => {
    // A machine that confines nothing starts it in development mode only.
    if (!(thrown instanceof StartRefused) || !/"(?:ISOLATION|SPAWN)_UNAVAILABLE"/.test(thrown.output)) throw thrown;
    return await startGateway(config, DEVELOPMENT);
  });
  t.after(() => gateway.stop());
  const authorization = `Bearer ${(await readFile(join(dirname(config), "agent-token"), "utf8")).trim()}`;
  const client = new Client({ name: "agent", version: "1" });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers: { authorization } } }),
  );
  t.after(() => client.close());
  return client;
}

export async function called(client: Client, name: string, args: Record<string, unknown>): Promise<string> {
  const { isError, content } = CallToolResultSchema.parse(await client.callTool({ name, arguments: args }));
  const text = content.map((item) => (item.type === "text" ? item.text : item.type)).join("");
  return isError === true ? `refused: ${text}` : text;
}

/** A folder for one test. */
export async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-add-"));
  await chmod(folder, 0o755);
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A stdio server in one file without dependencies, which lists these tools and answers each call with its name. */
export const serverFile = (tools: readonly object[]): string => `
import { createInterface } from "node:readline";
const tools = ${JSON.stringify(tools)};
const say = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\\n");
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === "initialize") say(id, { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } });
  if (method === "tools/list") say(id, { tools });
  if (method === "tools/call") say(id, { content: [{ type: "text", text: "called " + params.name + " " + JSON.stringify(params.arguments) }] });
});
`;
export const LOOKUP = {
  name: "lookup",
  description: "Looks something up.",
  inputSchema: {
    type: "object",
    properties: { at: { type: "object", properties: { x: { type: "number" } } } },
  },
};
