import { TOOLS } from "../call.ts";
import type { Measured, PacedServed } from "../load/job.ts";
import { CONNECTIONS, TARGETS, type Plan } from "../plan.ts";
import { atLeast, atMost, figure, type Row, type Taken } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { order } from "./order.ts";
import type { UpstreamKind } from "./setup.ts";
import { rounds, withSides, type Round, type Side } from "./sides.ts";

/** Principals that take turns. */
const PRINCIPALS = 8;

/** Every side's own figure: the gateway's minus, or divided by, the proxy's says nothing without them. */
function ownRows<T>(what: string, taken: readonly Round<T>[], value: (one: T) => number, unit: string): Row[] {
  const nginx = taken.flatMap((round) => (round.nginx === null ? [] : [value(round.nginx)]));
  const rows = [
    figure(
      `${what}, bare proxy`,
      taken.map(({ bare }) => value(bare)),
      unit,
      "",
    ),
    figure(
      `${what}, gateway`,
      taken.map(({ gateway }) => value(gateway)),
      unit,
      "",
    ),
  ];
  return nginx.length === 0 ? rows : [figure(`${what}, nginx`, nginx, unit, ""), ...rows];
}

function closedLoop(name: string, connections: number, taken: readonly Round<Measured>[]): Row[] {
  const label = (what: string): string => `${name}, ${connections} conn: ${what}`;
  const share = taken.map(({ bare, gateway }) => gateway.perSecond / bare.perSecond);
  const detail = "gateway divided by bare proxy, round by round";
  return [
    ...ownRows(label("calls/s"), taken, ({ perSecond }) => perSecond, "/s"),
    connections === 1
      ? figure(label("throughput of bare"), share, "", detail)
      : atLeast(label("throughput of bare"), { value: share, bound: TARGETS.throughputShare }, "", detail),
    ...ownRows(label("CPU of a call"), taken, ({ cpuPerCall }) => cpuPerCall, "µs"),
  ];
}

function openLoop(name: string, perSecond: number, taken: readonly Round<PacedServed>[]): Row[] {
  const label = (what: string): string => `${name}, ${perSecond} calls/s: ${what}`;
  const lateness = (value: (one: PacedServed) => number): string =>
    Math.max(...taken.flatMap(({ bare, gateway }) => [value(bare), value(gateway)])).toPrecision(2);
  const late = `generator late by at most ${lateness(({ lateP50 }) => lateP50)} ms (p50), ${lateness(({ lateP99 }) => lateP99)} ms (p99)`;
  const added = (value: (one: PacedServed) => number): Taken =>
    taken.map(({ bare, gateway }) => value(gateway) - value(bare));
  return [
    ...ownRows(label("p50"), taken, ({ p50 }) => p50, "ms"),
    ...ownRows(label("p99"), taken, ({ p99 }) => p99, "ms"),
    atMost(label("added p50"), { value: added(({ p50 }) => p50), bound: TARGETS.addedP50Ms }, "ms", late),
    atMost(label("added p99"), { value: added(({ p99 }) => p99), bound: TARGETS.addedP99Ms }, "ms", late),
  ];
}

/** The load of a comparison. */
function loads({ generator, plan }: Bench, tokens: readonly string[]) {
  const callers = { tokens, tools: TOOLS };
  return {
    closed: (side: Side, connections: number, warmMs: number, measureMs: number): Promise<Measured> =>
      order<Measured>(generator, { kind: "measure", ...callers, connections, warmMs, measureMs, ...side }),
    open: ({ port }: Side, perSecond: number): Promise<PacedServed> => {
      const { warmMs, measureMs }: Plan = plan;
      return order<PacedServed>(generator, { kind: "paced", port, ...callers, perSecond, warmMs, measureMs });
    },
  };
}

/** The shipped gateway against plain proxies, in front of the same server and behind the same generator. */
export async function proxying(bench: Bench, kind: UpstreamKind): Promise<Row[]> {
  const { plan } = bench;
  const setup = await bench.setUp({ kind, principals: PRINCIPALS, tools: [TOOLS] });
  const { closed, open } = loads(bench, setup.tokens);
  return await withSides(setup, async (sides) => {
    const rows: Row[] = [];
    // V8 compiles while it runs, and the gateway has more to compile.
    for (const side of [sides.bare, sides.gateway]) await closed(side, 8, plan.firstWarmMs, 100);
    for (const perSecond of plan.rates)
      rows.push(...openLoop(kind, perSecond, await rounds(sides, plan.rounds, (side) => open(side, perSecond))));
    for (const connections of CONNECTIONS) {
      const sample = (side: Side): Promise<Measured> => closed(side, connections, plan.warmMs, plan.measureMs);
      rows.push(...closedLoop(kind, connections, await rounds(sides, plan.rounds, sample)));
    }
    return rows;
  });
}
