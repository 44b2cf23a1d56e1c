/** A gateway in front of a legacy server and a modern one, both of which make tasks of calls. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cmcp } from "./cli.ts";
import { ALLOW_ALL, deploy } from "./deployment.ts";
import { type Gateway } from "./gateway.ts";
import { startInProcess } from "./in-process.ts";
import { writePolicySchema } from "./policy-schema.ts";
import { newToken, tokenLine } from "./principals.ts";
import { startEverythingServer } from "../servers/everything-server.ts";
import { SLOW_TOOL, startTasksServer, type TasksServer } from "../servers/tasks-server.ts";

/** Tool of the legacy server whose every call must be a task. */
export const TOOL = "simulate-research-query";
const POLICIES = `${ALLOW_ALL}
@id("servers-may-ask")
permit (principal, action == cMCP::Action::"ask_client", resource);
@id("nothing-after-confidential")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"${TOOL}") when { context.session_max_sensitivity == "confidential" };
@id("no-secret-topics")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"slow") when { context.arguments has topic && context.arguments.topic == "secret" };
`;
const CONFIG = `enclave:
  token_file: tokens
  principals:
    - id: alice
    - id: bob
`;
/** A principal of the deployment. */
export type Principal = "alice" | "bob";

/** The gateway and its two servers. */
export interface TasksDeployment {
  readonly gateway: Gateway;
  readonly modern: TasksServer;
  readonly tokens: Readonly<Record<Principal, string>>;
  close(): Promise<void>;
}

/** Starts servers and gateway. @param also rules, and members of the configuration's `enclave`, beside the usual ones */
export async function startTasksDeployment(
  also: { readonly policies?: string; readonly enclave?: string } = {},
): Promise<TasksDeployment> {
  const tokens = { alice: newToken(), bob: newToken() };
  const folder = await mkdtemp(join(tmpdir(), "cmcp-tasks-"));
  const everything = await startEverythingServer();
  const modern = await startTasksServer();
  const config = await deploy(folder, {
    tools: [{ name: SLOW_TOOL.name, url: modern.url, inputSchema: SLOW_TOOL.inputSchema }],
    policies: `${POLICIES}${also.policies ?? ""}`,
    config: `${CONFIG}${also.enclave ?? ""}`,
  });
  await writeFile(join(folder, "tokens"), tokenLine("alice", tokens.alice) + tokenLine("bob", tokens.bob), {
    mode: 0o600,
  });
  const imported = await cmcp([
    "catalog",
    "import",
    `http://127.0.0.1:${everything.port}/mcp`,
    "--approved-by",
    "test@example.org",
    "--domain",
    "public",
    "--sensitivity",
    "public",
    "--tool",
    TOOL,
    "--tool",
    "echo",
    "--tool",
    "get-sum",
    "--set",
    "echo:sensitivity=confidential",
    "--into",
    join(folder, "catalog.json"),
  ]);
  assert.equal(imported.code, 0, imported.stderr);
  await writePolicySchema(folder);
  const gateway = await startInProcess(config, { CMCP_DEV_MODE: "1" });
  return {
    gateway,
    modern,
    tokens,
    close: async () => {
      await gateway.stop();
      await modern.close();
      await everything.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
