import { performance } from "node:perf_hooks";
import type { CrowdServed } from "../../load/job.ts";
import { TARGETS, median } from "../../plan.ts";
import { atLeast, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { order } from "../order.ts";
import { pairs, withSides, type Side } from "../sides.ts";

const CALLS_EACH = 10;
const CONNECTIONS = 32;

/** Many sessions open at once in front of many servers: calls a second, opening the sessions included on both sides. */
export async function manySessions({ setUp, generator, plan }: Bench): Promise<Row[]> {
  const { sessions, upstreams } = plan.manySessions;
  const tools = Array.from({ length: upstreams }, (_, index) => `echo_text_${index}`);
  const setup = await setUp({
    tools,
    enclave: [`max_sessions: ${sessions * 2}`, `max_sessions_per_principal: ${sessions * 2}`],
  });
  const [token] = setup.tokens;
  return await withSides(setup, async (sides) => {
    const run = async ({ port }: Side): Promise<CrowdServed> =>
      await order<CrowdServed>(generator, {
        kind: "crowd",
        port,
        token,
        sessions,
        callsEach: CALLS_EACH,
        connections: CONNECTIONS,
        tools,
      });
    for (const side of [sides.bare, sides.gateway]) {
      const until = performance.now() + plan.firstWarmMs;
      do await run(side);
      while (performance.now() < until);
    }
    const taken = await pairs(sides, plan.rounds, run);
    const of = (value: (pair: (typeof taken)[number]) => number): number => median(taken.map(value));
    const detail = `bare ${of(({ bare }) => bare.perSecond).toPrecision(3)}, gateway ${of(({ gateway }) => gateway.perSecond).toPrecision(3)} calls/s; each session calls one of the servers`;
    return [
      atLeast(
        `${sessions} sessions × ${CALLS_EACH} calls, ${upstreams} upstreams: throughput of bare`,
        { value: of(({ bare, gateway }) => gateway.perSecond / bare.perSecond), bound: TARGETS.throughputShare },
        "",
        detail,
      ),
    ];
  });
}
