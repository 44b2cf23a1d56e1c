import { setTimeout as delay } from "node:timers/promises";
import { TOOLS } from "../../call.ts";
import type { Burst, BurstServed, PacedServed } from "../../load/job.ts";
import { TARGETS } from "../../plan.ts";
import { atMost, figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { order } from "../order.ts";
import type { Running } from "./running.ts";

/** Calls a second of the principal that has nothing to do with the storm. */
const PER_SECOND = 50;
/** Milliseconds of its calls before the storm begins. */
const WARM_MS = 500;

/** What another principal saw without a storm and during one, and what the storm got done. */
interface Pair {
  readonly alone: PacedServed;
  readonly during: PacedServed;
  readonly storm: BurstServed;
}

/** The requests of a storm, and for how long another principal's calls are looked at, in milliseconds. */
export interface Storm {
  /** Called before each round. */
  readonly requests: () => Promise<Burst["requests"]>;
  readonly measureMs: number;
  /** Whether what is not answered by then is given up, so that the next round can begin. */
  readonly givesUp: boolean;
}

/**
 * A storm of one principal beside the calls of another, which are first measured alone. All of it is repeated.
 * @throws Error when a request of the storm is refused, or a call is
 */
export async function beside(
  { generator, plan }: Bench,
  { port, setup, storm }: Running,
  { requests, measureMs, givesUp }: Storm,
): Promise<readonly Pair[]> {
  const other = (): Promise<PacedServed> => {
    const load = { port, tokens: setup.tokens.slice(0, 1), tools: TOOLS, perSecond: PER_SECOND };
    return order<PacedServed>(generator, { kind: "paced", ...load, warmMs: WARM_MS, measureMs });
  };
  const pairs: Pair[] = [];
  for (let round = 0; round < plan.storm.rounds; round += 1) {
    const prepared = await requests();
    const alone = await other();
    const measured = other();
    await delay(WARM_MS);
    const withinMs = givesUp ? measureMs : 600_000;
    const done = order<BurstServed>(storm, { kind: "burst", port, requests: prepared, withinMs });
    const [during, served] = await Promise.all([measured, done]);
    if (served.refused.length > 0) throw new Error(`the storm was answered ${served.refused.join(", ")}`);
    pairs.push({ alone, during, storm: served });
  }
  return pairs;
}

/** The rows of what another principal saw. */
export function besideRows(what: string, pairs: readonly Pair[]): Row[] {
  const slowest = Math.max(...pairs.map(({ during }) => during.max));
  const detail = `${PER_SECOND} calls/s, open loop; during divided by alone, round by round; slowest call ${slowest.toFixed(0)} ms`;
  return [
    figure(
      `${what}: another's p99, alone`,
      pairs.map(({ alone }) => alone.p99),
      "ms",
      "",
    ),
    figure(
      `${what}: another's p99, during`,
      pairs.map(({ during }) => during.p99),
      "ms",
      "",
    ),
    atMost(
      `${what}: another's p99, during ÷ alone`,
      { value: pairs.map(({ alone, during }) => during.p99 / alone.p99), bound: TARGETS.otherP99 },
      "×",
      detail,
    ),
  ];
}
