import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { auditBundleSchema } from "@cmcp/audit/schema";
import type { AuditEntry } from "@cmcp/audit";
import { cmcp } from "../gateway/cli.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { CLI, startGateway, type Gateway } from "../gateway/gateway.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { newToken, tokenLine } from "../gateway/principals.ts";
import { DIALECTS, TaintingAgent, type Dialect } from "./agent.ts";
import { Markers } from "./marker.ts";
import { promptName, resourceUri, toolName, type ServerEra } from "./offers.ts";
import { startTaintingServer, type TaintingServer } from "./server.ts";

/** The eras that servers speak. */
export const SERVER_ERAS: readonly ServerEra[] = ["legacy", "modern"];

const denied = (era: ServerEra): string => `
@id("${era}-tool-denied")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"${toolName(era, "denied")}");
@id("${era}-resource-denied")
forbid (principal, action in [cMCP::Action::"read_resource", cMCP::Action::"subscribe_resource", cMCP::Action::"complete"], resource) when { resource has uri && resource.uri == "${resourceUri(era, "denied")}" };
@id("${era}-prompt-denied")
forbid (principal, action in [cMCP::Action::"get_prompt", cMCP::Action::"complete"], resource) when { resource has prompt_name && resource.prompt_name == "${promptName(era, "denied")}" };
`;

const POLICIES = `${ALLOW_ALL}
@id("servers-may-ask")
permit (principal, action == cMCP::Action::"ask_client", resource);
${SERVER_ERAS.map(denied).join("")}`;

/** A running gateway between tainting agents and tainting servers. */
export interface Scene {
  readonly markers: Markers;
  readonly servers: Readonly<Record<ServerEra, TaintingServer>>;
  /** An agent of each dialect, each a principal of its own. */
  readonly agents: Readonly<Record<Dialect, TaintingAgent>>;
  /** What is on record of a session of a dialect's principal. */
  entries(dialect: Dialect, session: string): Promise<readonly AuditEntry[]>;
  close(): Promise<void>;
}

async function importFrom(server: TaintingServer, folder: string): Promise<void> {
  const options = ["--approved-by", "test@example.org", "--domain", "public", "--sensitivity", "public"];
  const into = ["--resources", "--prompts", "--into", join(folder, "catalog.json")];
  const done = await cmcp(["catalog", "import", server.url, ...options, ...into]);
  if (done.code !== 0) throw new Error(`the catalog could not be imported: ${done.stderr}`);
}

/**
 * Starts servers, gateway and agents.
 * @param entry the command line's script, beside which the enclave's lies
 */
export async function startScene(entry: string = CLI): Promise<Scene> {
  const markers = new Markers();
  const folder = await mkdtemp(join(tmpdir(), "cmcp-taint-"));
  const servers = {
    legacy: await startTaintingServer("legacy", markers),
    modern: await startTaintingServer("modern", markers),
  };
  const tokens = { post: newToken(), session: newToken(), modern: newToken() };
  const principals = DIALECTS.map((dialect) => `    - id: ${dialect}\n`).join("");
  const config = await deploy(folder, {
    tools: [],
    policies: POLICIES,
    config: `enclave:\n  token_file: tokens\n  principals:\n${principals}`,
  });
  await writeFile(join(folder, "tokens"), DIALECTS.map((dialect) => tokenLine(dialect, tokens[dialect])).join(""), {
    mode: 0o600,
  });
  for (const era of SERVER_ERAS) await importFrom(servers[era], folder);
  await writePolicySchema(folder);
  const gateway = await startGateway(config, { CMCP_DEV_MODE: "1" }, { entry });
  const agentOf = (dialect: Dialect): TaintingAgent =>
    new TaintingAgent(gateway.mcp, tokens[dialect], dialect, markers);
  const agents = { post: agentOf("post"), session: agentOf("session"), modern: agentOf("modern") };
  for (const dialect of DIALECTS) await agents[dialect].open();
  return {
    markers,
    servers,
    agents,
    entries: async (dialect, session) => await recorded(gateway, tokens[dialect], session),
    close: async () => {
      await gateway.stop();
      await Promise.all(Object.values(servers).map((server) => server.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function recorded(gateway: Gateway, token: string, session: string): Promise<readonly AuditEntry[]> {
  const response = await fetch(`${gateway.url}/audit/export?session_id=${session}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return auditBundleSchema.parse(await response.json()).entries;
}
