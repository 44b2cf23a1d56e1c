import { existsSync } from "node:fs";
import { join } from "node:path";
import { CLI, startGateway, type Gateway } from "../../gateway/gateway.ts";
import { TOOL } from "../call.ts";
import type { Measured } from "../load/job.ts";
import { median } from "../plan.ts";
import { cpuMs } from "../processes/usage.ts";
import { figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { order } from "./order.ts";
import type { Setup } from "./setup.ts";

const CONNECTIONS = 8;

/** One build of the gateway, running. */
interface Build {
  readonly gateway: Gateway;
  readonly pids: readonly number[];
  /** CPU milliseconds of host and enclave until the gateway was ready. */
  readonly startMs: number;
}

async function start({ config, environment }: Setup, entry: string): Promise<Build> {
  const gateway = await startGateway(config, environment, { entry });
  const pids = [gateway.pid, gateway.enclave_pid];
  return { gateway, pids, startMs: await cpuMs(pids) };
}

/** The ratio of each round, this build to the other, with the middle one as the figure. */
function ratio(what: string, here: readonly number[], there: readonly number[], unit: string): Row {
  const ratios = here.map((value, round) => value / (there[round] ?? Number.NaN)).toSorted((a, b) => a - b);
  const [lowest = Number.NaN, highest = Number.NaN] = [ratios[0], ratios.at(-1)];
  return figure(
    what,
    median(ratios),
    "×",
    `this ${median(here).toPrecision(3)}, other ${median(there).toPrecision(3)} ${unit}; rounds ${lowest.toFixed(2)} to ${highest.toFixed(2)}`,
  );
}

/**
 * This build beside the one of another checkout: the same tool server, load generator and rules, in alternating rounds.
 * CPU time is compared, because other work on the machine hardly changes it.
 *
 * @throws Error when the other folder holds no build
 */
export async function compare({ setUp, generator, plan }: Bench, folder: string): Promise<Row[]> {
  const other = join(folder, "packages/cli/dist/cmcp.mjs");
  if (!existsSync(other)) throw new Error(`${folder} holds no build: run make build there`);
  const setups = [await setUp(), await setUp()] as const;
  const starts: [number[], number[]] = [[], []];
  for (let round = 0; round < plan.starts; round += 1) {
    for (const [side, entry] of [CLI, other].entries()) {
      const setup = setups[side === 0 ? 0 : 1];
      const build = await start(setup, entry);
      starts[side === 0 ? 0 : 1].push(build.startMs);
      await build.gateway.stop();
    }
  }
  const builds = [await start(setups[0], CLI), await start(setups[1], other)] as const;
  const calls: [Measured[], Measured[]] = [[], []];
  const sample = async (side: 0 | 1, warmMs: number, measureMs: number): Promise<Measured> => {
    const { gateway, pids } = builds[side];
    const [token] = setups[side].tokens;
    const port = Number(new URL(gateway.url).port);
    return await order<Measured>(generator, {
      kind: "measure",
      port,
      tokens: [token],
      tools: [TOOL],
      connections: CONNECTIONS,
      warmMs,
      measureMs,
      pids,
    });
  };
  try {
    for (const side of [0, 1] as const) await sample(side, plan.firstWarmMs, 100);
    for (let round = 0; round < plan.rounds * 2; round += 1) {
      for (const side of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
        calls[side].push(await sample(side, plan.warmMs, plan.measureMs));
    }
  } finally {
    for (const { gateway } of builds) await gateway.stop();
  }
  const cpu = (side: 0 | 1): number[] => calls[side].map(({ cpuPerCall }) => cpuPerCall);
  const p50 = (side: 0 | 1): number[] => calls[side].map((one) => one.p50);
  return [
    ratio("CPU of a 2 KB call, host and enclave", cpu(0), cpu(1), "µs"),
    ratio("p50 of a 2 KB call", p50(0), p50(1), "ms"),
    ratio("CPU of a start, host and enclave", starts[0], starts[1], "ms"),
  ];
}
