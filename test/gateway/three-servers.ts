import { chmod, cp, glob, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import type { JsonObject } from "@cmcp/boundary";
import { definitionHash } from "@cmcp/catalog";
import { treeDigest } from "@cmcp/spawner/tree";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { installTree } from "../spawner/installed-tree.ts";
import { ROOT, listenOnAnyPort } from "./deployment.ts";
import { newToken, tokenLine } from "./principals.ts";

const require = createRequire(import.meta.url);

/** A deployment of `examples/several-servers`. */
export interface ThreeServers {
  /** Path of its configuration. */
  readonly config: string;
  /** Absolute path of the folder of each stdio server, by its display name. */
  readonly trees: Readonly<Record<"server-filesystem" | "server-memory", string>>;
  /** The token of each principal the example names. */
  readonly tokens: Readonly<Record<"alice" | "bob", string>>;
  /** How paths of files begin that only this deployment uses. Where servers are not confined, `/tmp` is the machine's. */
  readonly scratch: string;
  /** Removes what unconfined servers left in `/tmp`; confined ones cannot leave anything. */
  clean(): Promise<void>;
}

async function approvedTools(server: JsonObject, transport: Transport): Promise<JsonObject[]> {
  const client = new Client({ name: "catalog", version: "1" });
  await client.connect(transport);
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
      server,
      approved_definition: definition,
      definition_hash: definitionHash(definition),
      compliance_domain: "public",
      requires_baa: false,
      sensitivity_level: "public",
      added_at: "2026-11-01T09:00:00Z",
      approved_by: "catalog@clinic.example",
    };
  });
}

/** Lays a published server out in `tree`, and approves every tool as it has them. */
export async function stdioServer(name: string, tree: string, args: readonly string[]): Promise<JsonObject[]> {
  const package_ = `@modelcontextprotocol/${name}`;
  await mkdir(tree, { recursive: true });
  await chmod(tree, 0o755);
  const main = join(
    tree,
    installTree(dirname(require.resolve(`${package_}/package.json`)), package_, tree),
    "dist/index.js",
  );
  const digest = `sha256:${Buffer.from(treeDigest(tree)).toString("hex")}`;
  const server = {
    display_name: name,
    transport: "stdio",
    spawn: { command: "node", args: [main, ...args], measure_target: tree, binary_digest: digest },
  };
  return await approvedTools(
    server,
    new StdioClientTransport({
      command: process.execPath,
      args: [main, ...args],
      env: { HOME: "/tmp" },
      stderr: "ignore",
    }),
  );
}

/**
 * Copies the example into `folder`, lays its stdio servers out beside it, and approves every tool as the three servers have it.
 * @param everythingPort where server-everything listens
 */
export async function deployThreeServers(folder: string, everythingPort: number): Promise<ThreeServers> {
  await rm(folder, { recursive: true, force: true });
  await cp(join(ROOT, "examples/several-servers"), folder, { recursive: true });
  const trees = {
    "server-filesystem": join(folder, "servers/filesystem"),
    "server-memory": join(folder, "servers/memory"),
  };
  const url = `http://127.0.0.1:${everythingPort}/mcp`;
  const entries = [
    ...(await approvedTools(
      { display_name: "server-everything", url, transport: "streamable-http" },
      new StreamableHTTPClientTransport(new URL(url)),
    )),
    ...(await stdioServer("server-filesystem", trees["server-filesystem"], ["/tmp"])),
    ...(await stdioServer("server-memory", trees["server-memory"], [])),
  ];
  await writeFile(join(folder, "catalog.json"), `${JSON.stringify(entries, null, 2)}\n`);
  const tokens = { alice: newToken(), bob: newToken() };
  await writeFile(join(folder, "tokens"), tokenLine("alice", tokens.alice) + tokenLine("bob", tokens.bob), {
    mode: 0o600,
  });
  const config = join(folder, "cmcp-config.yaml");
  const scratch = `/tmp/cmcp-${newToken().slice(0, 8)}`;
  await writeFile(
    config,
    (await readFile(config, "utf8")).replace("/tmp/cmcp-memory.jsonl", `${scratch}-memory.jsonl`),
  );
  await listenOnAnyPort(config);
  const clean = async (): Promise<void> => {
    for await (const left of glob(`${scratch}*`)) await rm(left, { recursive: true });
  };
  return { config, trees, tokens, scratch, clean };
}
