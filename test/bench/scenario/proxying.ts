import { randomBytes } from "node:crypto";
import { developmentEnvironment, startGateway } from "../../gateway/gateway.ts";
import type { Job, Measured } from "../load/job.ts";
import { CONNECTIONS, TARGETS, median, type Plan } from "../plan.ts";
import { Child } from "../processes/child.ts";
import { atLeast, atMost, figure, type Row } from "../report/row.ts";
import { order } from "./order.ts";
import type { Setup } from "./setup.ts";

/** A side of the comparison. */
type Side = Pick<Job, "port" | "pids">;
type Load = Omit<Job, keyof Side>;

interface Pair {
  readonly bare: Measured;
  readonly gateway: Measured;
}

async function sample(generator: Child, side: Side, load: Load): Promise<Measured> {
  return await order<Measured>(generator, { kind: "measure", ...load, ...side });
}

/** Both sides in turn, the first of each round changing, so that what else the machine does falls on both. */
async function pairs(generator: Child, bare: Side, gateway: Side, load: Load, rounds: number): Promise<Pair[]> {
  const taken: Pair[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) {
      const first = await sample(generator, bare, load);
      taken.push({ bare: first, gateway: await sample(generator, gateway, load) });
    } else {
      const first = await sample(generator, gateway, load);
      taken.push({ gateway: first, bare: await sample(generator, bare, load) });
    }
  }
  return taken;
}

function rowsOf(name: string, connections: number, taken: readonly Pair[]): Row[] {
  const of = (value: (pair: Pair) => number): number => median(taken.map(value));
  const each = (value: (side: Measured) => number, unit: string): string =>
    `bare ${of((pair) => value(pair.bare)).toPrecision(3)}, gateway ${of((pair) => value(pair.gateway)).toPrecision(3)} ${unit}`;
  const p50 = of((pair) => pair.gateway.p50 - pair.bare.p50);
  const p99 = of((pair) => pair.gateway.p99 - pair.bare.p99);
  const share = of((pair) => pair.gateway.perSecond / pair.bare.perSecond);
  const label = (what: string): string => `${name}, ${connections} conn: ${what}`;
  const latency =
    connections === 1
      ? [atMost(label("added p50"), p50, TARGETS.addedP50Ms, "ms", each((one) => one.p50, "ms")), atMost(label("added p99"), p99, TARGETS.addedP99Ms, "ms", each((one) => one.p99, "ms"))]
      : [figure(label("added p50"), p50, "ms", each((one) => one.p50, "ms")), figure(label("added p99"), p99, "ms", each((one) => one.p99, "ms"))];
  const throughput = each((one) => one.perSecond, "calls/s");
  return [
    ...latency,
    connections === 1 ? figure(label("throughput of bare"), share, "", throughput) : atLeast(label("throughput of bare"), share, TARGETS.throughputShare, "", throughput),
    figure(label("CPU of bare"), of((pair) => pair.gateway.cpuPerCall / pair.bare.cpuPerCall), "×", each((one) => one.cpuPerCall, "µs/call")),
  ];
}

/** The shipped gateway against the bare proxy, in front of the same server and behind the same generator. */
export async function proxying(setup: Setup, generator: Child, plan: Plan): Promise<Row[]> {
  const token = randomBytes(32).toString("base64url");
  const proxy = Child.start("./bare-proxy.ts", setup.bare);
  const { port } = await proxy.next<{ port: number }>();
  const started = await startGateway(setup.config, developmentEnvironment(token));
  try {
    const bare: Side = { port, pids: [proxy.pid] };
    const gateway: Side = { port: Number(new URL(started.url).port), pids: [started.pid, started.enclave_pid] };
    const rows: Row[] = [];
    // Compiled code differs from interpreted by far more than anything measured here.
    for (const side of [bare, gateway]) await sample(generator, side, { token, connections: 8, warmMs: plan.firstWarmMs, measureMs: 100 });
    for (const connections of CONNECTIONS) {
      const taken = await pairs(generator, bare, gateway, { token, connections, warmMs: plan.warmMs, measureMs: plan.measureMs }, plan.rounds);
      rows.push(...rowsOf(setup.kind, connections, taken));
    }
    return rows;
  } finally {
    await started.stop();
    await proxy.stop();
  }
}
