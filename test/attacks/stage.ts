/** What every attack needs: real MCP servers, a catalog of what they offer, a gateway, and an agent with the official SDK. */
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpError, type CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import type { JsonObject } from "@cmcp/boundary";
import { definitionHash } from "@cmcp/catalog";
import { clientOf, type Client as Auditor } from "../gateway/client.ts";
import { deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import type { ToolsServer } from "./tools-server.ts";

const TOKEN = "attack-token-attack-token-attack-token-att";

/** What the operator says of a tool beside what its server lists. */
export type Review = Readonly<Record<string, JsonObject[string]>>;

/** A deployment in front of real servers. */
export interface Deployment {
  readonly servers: readonly ToolsServer[];
  /** Reviews by tool; a tool without one is public. */
  readonly reviews?: Readonly<Record<string, Review>>;
  /** Members of a server's object in the entries, by the server's name. */
  readonly serverMembers?: Readonly<Record<string, Review>>;
  readonly policies: string;
  readonly config?: string;
}

/** What a call gave the agent: the text of its result, or the code of its refusal. */
export interface Answer {
  /** `null` for a result. */
  readonly code: string | null;
  readonly text: string;
  readonly result: CallToolResult | null;
}

/** A gateway with its agent. */
export interface Stage {
  readonly gateway: Gateway;
  readonly auditor: Auditor;
  /** Calls a tool as an agent with the official SDK does, in the agent's one session. */
  call(tool: string, args?: Record<string, unknown>): Promise<Answer>;
  /** A second agent of the same principal, in a session of its own. */
  anotherAgent(): Promise<Pick<Stage, "call">>;
  tools(): Promise<readonly { readonly name: string; readonly description?: string | undefined }[]>;
  close(): Promise<void>;
}

/** Connects the official client to an MCP endpoint. */
async function connected(url: string, token?: string): Promise<Client> {
  const client = new Client({ name: "agent", version: "1.0.0" });
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return client;
}

/** Catalog entries of all that a server lists, as an operator would approve it. */
async function entriesOf(server: ToolsServer, { reviews = {}, serverMembers = {} }: Deployment): Promise<JsonObject[]> {
  const client = await connected(server.url);
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name, description = "", inputSchema, outputSchema }) => {
    const definition = {
      description,
      input_schema: inputSchema as JsonObject,
      ...(outputSchema === undefined ? {} : { output_schema: outputSchema as JsonObject }),
    };
    return {
      tool_name: name,
      server: {
        display_name: server.name,
        url: server.url,
        transport: "streamable-http",
        ...serverMembers[server.name],
      },
      approved_definition: definition,
      definition_hash: definitionHash(definition),
      compliance_domain: "public",
      requires_baa: false,
      sensitivity_level: "public",
      added_at: "2026-01-01T00:00:00Z",
      approved_by: "operator@example.org",
      ...reviews[name],
    };
  });
}

/** Writes the deployment into a folder and returns the path of its configuration. */
export async function write(folder: string, deployment: Deployment): Promise<string> {
  await mkdir(folder, { recursive: true });
  const { policies, config = "" } = deployment;
  const path = await deploy(folder, { tools: [], policies, config });
  const entries = await Promise.all(deployment.servers.map((server) => entriesOf(server, deployment)));
  await writeFile(join(folder, "catalog.json"), JSON.stringify(entries.flat()));
  await writePolicySchema(folder);
  return path;
}

async function callWith(client: Client, tool: string, args: Record<string, unknown>): Promise<Answer> {
  try {
    const result = (await client.callTool({ name: tool, arguments: args })) as CallToolResult;
    const text = result.content.map((block) => (block.type === "text" ? block.text : "")).join("\n");
    const refusal = result._meta?.["cmcp.gateway/error"] as { readonly code?: string } | undefined;
    return { code: refusal?.code ?? null, text, result };
  } catch (thrown) {
    if (!(thrown instanceof McpError)) throw thrown;
    const data = thrown.data as { readonly error_code?: string } | undefined;
    return { code: data?.error_code ?? String(thrown.code), text: thrown.message, result: null };
  }
}

/** Starts a deployment and connects an agent. */
export async function startStage(deployment: Deployment): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-attack-"));
  const gateway = await startInProcess(
    await write(join(folder, "deployment"), deployment),
    developmentEnvironment(TOKEN),
  );
  const agent = await connected(gateway.mcp, TOKEN);
  const others: Client[] = [];
  return {
    gateway,
    auditor: clientOf(gateway, TOKEN),
    call: (tool, args = {}) => callWith(agent, tool, args),
    anotherAgent: async () => {
      const other = await connected(gateway.mcp, TOKEN);
      others.push(other);
      return { call: (tool, args = {}) => callWith(other, tool, args) };
    },
    tools: async () => (await agent.listTools()).tools,
    close: async () => {
      for (const client of [agent, ...others]) await client.close();
      await gateway.stop();
      for (const server of deployment.servers) await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
