/** The official conformance suite against the reference server, directly and through the gateway: `make conformance`. */
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../gateway/deployment.ts";
import { compare } from "./comparison.ts";
import { DEVIATIONS } from "./deviations.ts";
import { startGatewayBefore } from "./gateway.ts";
import { startReferenceServer, type SuiteVersion } from "./reference-server/server.ts";
import { runClientScenarios, runServerScenarios, type Results } from "./suite.ts";
import { tableLines } from "./table.ts";

const VERSIONS: readonly SuiteVersion[] = ["2025-11-25", "2026-07-28"];
const OUT = join(ROOT, "out/conformance");

/** Prints one table. True when its columns hold. */
function report(role: "server" | "client", version: SuiteVersion, direct: Results, through: Results): boolean {
  const comparison = compare(
    direct,
    through,
    DEVIATIONS.filter((deviation) => deviation.role === role && deviation.version === version),
  );
  for (const line of tableLines(`${role}, ${version}`, comparison)) process.stdout.write(`${line}\n`);
  return comparison.holds;
}

/** The suite's client against the reference server. */
async function serverScenarios(version: SuiteVersion): Promise<boolean> {
  const folder = join(OUT, `server-${version}`);
  const server = await startReferenceServer(version);
  try {
    const direct = await runServerScenarios(server.url, version, join(folder, "direct"));
    const gateway = await startGatewayBefore(server.url, join(folder, "deployment"), ["--resources", "--prompts"]);
    try {
      return report("server", version, direct, await runServerScenarios(gateway.mcp, version, join(folder, "gateway")));
    } finally {
      await gateway.stop();
    }
  } finally {
    await server.close();
  }
}

/** The official client against the suite's servers. */
async function clientScenarios(version: SuiteVersion): Promise<boolean> {
  const folder = join(OUT, `client-${version}`);
  const direct = await runClientScenarios("direct", version, join(folder, "direct"));
  return report("client", version, direct, await runClientScenarios("gateway", version, join(folder, "gateway")));
}

let holds = true;
for (const version of VERSIONS) {
  holds = (await serverScenarios(version)) && holds;
  holds = (await clientScenarios(version)) && holds;
}
process.stdout.write(holds ? "what passes direct passes through the gateway\n" : "the columns differ\n");
process.exitCode = holds ? 0 : 1;
