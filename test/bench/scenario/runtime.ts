import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { ALLOW_ALL, ROOT } from "../../gateway/deployment.ts";
import { startGateway } from "../../gateway/gateway.ts";
import { TOOLS } from "../call.ts";
import type { Measured } from "../load/job.ts";
import { CONNECTIONS } from "../plan.ts";
import { freePort } from "../processes/nginx.ts";
import { loadRows } from "../report/load-rows.ts";
import { notMeasured, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { order } from "./order.ts";
import type { Setup } from "./setup.ts";

const PYTHON = join(ROOT, ".cache/interop/venv/bin/python");
const PROGRAM = fileURLToPath(new URL("../processes/public_gateway.py", import.meta.url));

/** A gateway that serves. */
interface Side {
  readonly name: string;
  readonly port: number;
  readonly pids: readonly number[];
  readonly stop: () => Promise<unknown>;
}

/** Starts cmcp-runtime over the servers of a deployment, with the same token, software-only as the gateway is. */
async function startRuntime({ config, environment }: Setup): Promise<Side> {
  const folder = join(dirname(config), "runtime");
  const port = await freePort();
  await mkdir(folder, { recursive: true });
  await cp(join(dirname(config), "policies"), join(folder, "policies"), { recursive: true });
  await writeFile(join(folder, "policies/rules.cedar"), ALLOW_ALL);
  const catalog = JSON.parse(await readFile(join(dirname(config), "catalog.json"), "utf8")) as { server: object }[];
  // It wants a pin where a server has no TLS, too.
  for (const entry of catalog) entry.server = { ...entry.server, tls_fingerprint: `SHA256:${"A".repeat(43)}=` };
  await writeFile(join(folder, "catalog.json"), JSON.stringify(catalog));
  const lines = ["attestation: {provider: auto, enforcement_mode: enforcing}", "policy_bundle_path: policies/"];
  const paths = ["catalog_path: catalog.json", "audit_db_path: audit.db", `listen_addr: 127.0.0.1:${port}`];
  await writeFile(join(folder, "cmcp-config.yaml"), `${[...lines, ...paths].join("\n")}\n`);
  const child = spawn(PYTHON, [PROGRAM, "cmcp-config.yaml"], {
    cwd: folder,
    env: environment,
    stdio: ["ignore", "ignore", "inherit"],
  });
  while ((await fetch(`http://127.0.0.1:${port}/health`).catch(() => null)) === null) {
    if (child.exitCode !== null || child.pid === undefined) throw new Error("cmcp-runtime did not start");
    await delay(100);
  }
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return { name: "cmcp-runtime 0.7.1", port, pids: [child.pid ?? 0], stop };
}

/** The gateway beside the public one, in front of the same servers, in turn. */
export async function runtime({ setUp, generator, plan }: Bench): Promise<Row[]> {
  if (!existsSync(PYTHON)) return [notMeasured("cmcp-runtime", "it is not installed; make interop installs it")];
  const setup = await setUp({ tools: [TOOLS] });
  const sides: Side[] = [];
  try {
    sides.push(await startRuntime(setup));
    const gateway = await startGateway(setup.config, setup.environment);
    sides.push({
      name: "gateway",
      port: Number(new URL(gateway.url).port),
      pids: [gateway.pid, gateway.enclave_pid],
      stop: () => gateway.stop(),
    });
    const sample = ({ port, pids }: Side, connections: number, warmMs: number): Promise<Measured> => {
      const load = { port, pids, tokens: setup.tokens, tools: TOOLS, connections };
      return order<Measured>(generator, { kind: "measure", ...load, warmMs, measureMs: plan.measureMs });
    };
    for (const side of sides) await sample(side, 8, plan.firstWarmMs / 2);
    const rows: Row[] = [];
    for (const connections of CONNECTIONS) {
      const taken = new Map<Side, Measured[]>(sides.map((side) => [side, []]));
      for (let round = 0; round < plan.rounds; round += 1)
        for (const side of round % 2 === 0 ? sides : sides.toReversed())
          taken.get(side)?.push(await sample(side, connections, plan.warmMs));
      for (const [{ name }, measured] of taken)
        rows.push(...loadRows({ name, connections }, measured, ["p50", "p99", "perSecond"]));
    }
    return rows;
  } finally {
    for (const { stop } of sides) await stop();
  }
}
