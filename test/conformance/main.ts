/**
 * The official conformance suite against the reference server, directly, through the gateway, and sealed through it, and against
 * the gateway's upstream side for what it has about OAuth: `make conformance`.
 */
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../gateway/deployment.ts";
import { compare, type Columns } from "./comparison.ts";
import { DEVIATIONS } from "./deviations.ts";
import { channelOf, startGatewayBefore } from "./gateway.ts";
import { startReferenceServer, type SuiteVersion } from "./reference-server/server.ts";
import {
  runAuthorizationScenarios,
  runClientScenarios,
  runServerScenarios,
  type Column,
  type Results,
} from "./suite.ts";
import { authorizationHolds, authorizationLines, tableLines } from "./table.ts";

const VERSIONS: readonly SuiteVersion[] = ["2025-11-25", "2026-07-28"];
const OUT = join(ROOT, "out/conformance");

/** Prints one table. True when its columns hold. */
function report(role: "server" | "client", version: SuiteVersion, columns: Columns): boolean {
  const comparison = compare(
    columns,
    DEVIATIONS.filter((deviation) => deviation.role === role && deviation.version === version),
  );
  for (const line of tableLines(`${role}, ${version}`, comparison)) process.stdout.write(`${line}\n`);
  return comparison.holds;
}

/** The direct column, then the two with a gateway at one time: a scenario waits for most of its time. */
async function columnsOf(run: (column: Column) => Promise<Results>): Promise<Columns> {
  const direct = await run("direct");
  const [through, sealed] = await Promise.all([run("gateway"), run("sealed")]);
  return { direct, through, sealed };
}

/** The suite's client against a reference server of each column's own. */
async function serverScenarios(version: SuiteVersion): Promise<boolean> {
  const columns = await columnsOf(async (column) => {
    const folder = join(OUT, `server-${version}`);
    const server = await startReferenceServer(version);
    try {
      if (column === "direct") return await runServerScenarios(server.url, version, join(folder, column));
      const gateway = await startGatewayBefore(server.url, join(folder, `deployment-${column}`), {
        imported: ["--resources", "--prompts"],
        channel: channelOf(column),
      });
      try {
        return await runServerScenarios(gateway.mcp, version, join(folder, column));
      } finally {
        await gateway.stop();
      }
    } finally {
      await server.close();
    }
  });
  return report("server", version, columns);
}

/** The official client against the suite's servers. */
async function clientScenarios(version: SuiteVersion): Promise<boolean> {
  const columns = await columnsOf(
    async (column) => await runClientScenarios(column, version, join(OUT, `client-${version}`, column)),
  );
  return report("client", version, columns);
}

/** The gateway's upstream side against the suite's authorization servers; extensions belong to no version. */
async function authorization(version: SuiteVersion | null): Promise<boolean> {
  const title = `authorization, ${version ?? "extensions"}`;
  const results = await runAuthorizationScenarios(version, join(OUT, `authorization-${version ?? "extensions"}`));
  for (const line of authorizationLines(title, results)) process.stdout.write(`${line}\n`);
  return authorizationHolds(results);
}

let holds = true;
for (const version of VERSIONS) {
  holds = (await serverScenarios(version)) && holds;
  holds = (await clientScenarios(version)) && holds;
}
for (const version of [...VERSIONS, null]) holds = (await authorization(version)) && holds;
process.stdout.write(
  holds
    ? "what passes direct passes through the gateway, in the clear and under the seal; every scenario about OAuth passes\n"
    : "the columns differ, or a scenario about OAuth fails\n",
);
process.exitCode = holds ? 0 : 1;
