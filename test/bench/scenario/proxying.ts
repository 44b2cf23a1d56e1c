import type { Measured } from "../load/job.ts";
import { CONNECTIONS, TARGETS, median } from "../plan.ts";
import { atLeast, atMost, figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { order } from "./order.ts";
import type { UpstreamKind } from "./setup.ts";
import { pairs, withSides, type Side } from "./sides.ts";

interface Pair {
  readonly bare: Measured;
  readonly gateway: Measured;
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
      ? [
          atMost(
            label("added p50"),
            { value: p50, bound: TARGETS.addedP50Ms },
            "ms",
            each((one) => one.p50, "ms"),
          ),
          atMost(
            label("added p99"),
            { value: p99, bound: TARGETS.addedP99Ms },
            "ms",
            each((one) => one.p99, "ms"),
          ),
        ]
      : [
          figure(
            label("added p50"),
            p50,
            "ms",
            each((one) => one.p50, "ms"),
          ),
          figure(
            label("added p99"),
            p99,
            "ms",
            each((one) => one.p99, "ms"),
          ),
        ];
  const throughput = each((one) => one.perSecond, "calls/s");
  return [
    ...latency,
    connections === 1
      ? figure(label("throughput of bare"), share, "", throughput)
      : atLeast(label("throughput of bare"), { value: share, bound: TARGETS.throughputShare }, "", throughput),
    figure(
      label("CPU of bare"),
      of((pair) => pair.gateway.cpuPerCall / pair.bare.cpuPerCall),
      "×",
      each((one) => one.cpuPerCall, "µs/call"),
    ),
  ];
}

/** The shipped gateway against the bare proxy, in front of the same server and behind the same generator. */
export async function proxying({ setUp, generator, plan }: Bench, kind: UpstreamKind): Promise<Row[]> {
  const setup = await setUp({ kind });
  const [token] = setup.tokens;
  return await withSides(setup, async (sides) => {
    const sample = async (side: Side, connections: number, warmMs: number, measureMs: number): Promise<Measured> =>
      await order<Measured>(generator, { kind: "measure", token, connections, warmMs, measureMs, ...side });
    const [fresh] = await pairs(sides, 1, (side) => sample(side, 32, 0, plan.measureMs));
    const rows: Row[] =
      fresh === undefined
        ? []
        : [
            figure(
              `${kind}, 32 conn: throughput of bare, just started`,
              fresh.gateway.perSecond / fresh.bare.perSecond,
              "",
              `bare ${fresh.bare.perSecond.toPrecision(3)}, gateway ${fresh.gateway.perSecond.toPrecision(3)} calls/s; V8 has compiled little of it yet`,
            ),
          ];
    // Compiled code differs from interpreted by far more than anything measured here, and the gateway has more of it.
    for (const side of [sides.bare, sides.gateway]) await sample(side, 8, plan.firstWarmMs, 100);
    for (const connections of CONNECTIONS) {
      const taken = await pairs(sides, plan.rounds, (side) => sample(side, connections, plan.warmMs, plan.measureMs));
      rows.push(...rowsOf(kind, connections, taken));
    }
    return rows;
  });
}
