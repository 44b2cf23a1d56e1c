/**
 * The client the suite runs: an agent that does what the scenario asks. It goes straight to the suite's server
 * (`direct`) or through a gateway (`gateway`, and `sealed` through `cmcp connect`). With a gateway the suite sees its
 * upstream side.
 *
 * Usage: node command.ts direct|gateway|sealed FOLDER URL, with the suite's MCP_CONFORMANCE_* variables. How it ended is
 * written to FOLDER: some scenarios only watch for what must not happen, and would take a client that never came
 * for one that behaved.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { channelOf, startGatewayBefore } from "../gateway.ts";
import { withAgent } from "./agent.ts";
import { AGENT_SCENARIOS, type AgentScenario } from "./scenarios.ts";

const [column, folder = "", url = ""] = process.argv.slice(2);
const name = process.env["MCP_CONFORMANCE_SCENARIO"] ?? "";
const version = process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] ?? "";
const scenario = AGENT_SCENARIOS.get(name);
if (scenario === undefined) throw new Error(`no agent is written for the client scenario ${name}`);
const context: unknown = JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "null");

async function run(agent: AgentScenario): Promise<void> {
  if (column === "direct") return await withAgent(url, version, agent, context);
  const settings = { imported: agent.imported, channel: channelOf(column) };
  const gateway = await startGatewayBefore(url, join(folder, name), settings);
  try {
    await withAgent(gateway.mcp, version, agent, context);
  } finally {
    await gateway.stop();
  }
}

let failure: string | null = null;
try {
  await run(scenario);
} catch (thrown) {
  failure = thrown instanceof Error ? thrown.message : String(thrown);
  process.exitCode = 1;
}
await mkdir(folder, { recursive: true });
await writeFile(join(folder, `${name}.json`), JSON.stringify({ failure }));
