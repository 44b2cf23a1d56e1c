import { existsSync } from "node:fs";
import { appendFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openLogKey } from "@cmcp/host-proxy";
import { formatVerifierKey } from "@cmcp/log";
import { ROOT } from "../../gateway/deployment.ts";
import { startGateway } from "../../gateway/gateway.ts";
import { Litewitness } from "../../log/litewitness.ts";
import { TOOLS } from "../call.ts";
import type { Measured } from "../load/job.ts";
import { CONNECTIONS } from "../plan.ts";
import { Child } from "../processes/child.ts";
import { loadRows } from "../report/load-rows.ts";
import { notMeasured, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { order } from "./order.ts";
import type { Setup } from "./setup.ts";

const ORIGIN = "gateway.example/0";
const NAMES = ["a", "b", "c"] as const;
const PRINCIPALS = 8;
/** Gateways that are compared: without witnesses, with three beside it, and with three that answer later. */
const MODES = [
  { name: "no witnesses", delayMs: null },
  { name: "3 witnesses", delayMs: 0 },
  { name: "3 witnesses 50 ms away", delayMs: 50 },
] as const;

type Stops = (() => Promise<unknown>)[];

/** Starts three witnesses of a deployment's log, of which two are a quorum, and names them in its configuration. */
async function addWitnesses({ config }: Setup, delayMs: number, stops: Stops): Promise<void> {
  const folder = dirname(config);
  const { verifierKey } = await openLogKey(join(folder, "log.key"), ORIGIN);
  const lines: string[] = [];
  const urls: Record<string, string> = {};
  for (const name of NAMES) {
    await mkdir(join(folder, name));
    const witness = await Litewitness.create(join(folder, name), `witness.example/${name}`, verifierKey);
    stops.push(() => witness.close());
    lines.push(`witness ${name} ${formatVerifierKey(witness.key)}`);
    urls[name] = witness.url;
    if (delayMs === 0) continue;
    const proxy = Child.start("./delay-proxy.ts", { url: witness.url, delayMs });
    stops.push(() => proxy.stop());
    const { port } = await proxy.next<{ port: number }>();
    urls[name] = `http://127.0.0.1:${port}`;
  }
  const witnesses = [...lines, `group g 2 ${NAMES.join(" ")}`, "quorum g", ""].join("\n");
  // JSON is YAML.
  const log = JSON.stringify({ origin: ORIGIN, witnesses });
  await appendFile(config, `log: ${log}\nwitness_urls: ${JSON.stringify(urls)}\n`);
}

/** What waiting for witnesses costs a call: real ones, beside the gateway and at a distance. */
export async function witnesses({ setUp, generator, plan }: Bench): Promise<Row[]> {
  if (!existsSync(join(ROOT, ".cache/go/bin/litewitness")))
    return [notMeasured("witnesses", "litewitness is not there; sh test/log/install.sh builds it")];
  const stops: Stops = [];
  try {
    const sides: { name: string; setup: Setup; port: number; pids: number[]; taken: Measured[][] }[] = [];
    for (const { name, delayMs } of MODES) {
      const setup = await setUp({ tools: [TOOLS], principals: PRINCIPALS });
      if (delayMs !== null) await addWitnesses(setup, delayMs, stops);
      const gateway = await startGateway(setup.config, setup.environment);
      stops.push(() => gateway.stop());
      const pids = [gateway.pid, gateway.enclave_pid];
      sides.push({ name, setup, port: Number(new URL(gateway.url).port), pids, taken: [] });
    }
    const sample = ({ setup, port, pids }: (typeof sides)[number], connections: number, warmMs: number) =>
      order<Measured>(generator, {
        kind: "measure",
        port,
        pids,
        tokens: setup.tokens,
        tools: TOOLS,
        connections,
        warmMs,
        measureMs: plan.measureMs,
      });
    for (const side of sides) await sample(side, 8, plan.firstWarmMs / 3);
    for (const [at, connections] of CONNECTIONS.entries())
      for (let round = 0; round < plan.rounds; round += 1)
        for (const side of round % 2 === 0 ? sides : sides.toReversed())
          (side.taken[at] ??= []).push(await sample(side, connections, plan.warmMs));
    return CONNECTIONS.flatMap((connections, at) =>
      sides.flatMap(({ name, taken }) => loadRows({ name, connections }, taken[at] ?? [], ["p50", "perSecond"])),
    );
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}
