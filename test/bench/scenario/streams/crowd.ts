import { performance } from "node:perf_hooks";
import type { CrowdServed } from "../../load/job.ts";
import { TARGETS } from "../../plan.ts";
import { atLeast, figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { order } from "../order.ts";
import { rounds, withSides, type Side } from "../sides.ts";

const CALLS_EACH = 10;
const CONNECTIONS = 32;

/** Many sessions open at once in front of many servers: calls a second, opening the sessions included on both sides. */
export async function manySessions({ setUp, generator, plan }: Bench): Promise<Row[]> {
  const { sessions, upstreams } = plan.manySessions;
  const tools = Array.from({ length: upstreams }, (_, index) => `echo_text_${index}`);
  const setup = await setUp({
    tools: tools.map((tool) => [tool]),
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
    const taken = await rounds(sides, plan.rounds, run);
    const what = `${sessions} sessions × ${CALLS_EACH} calls, ${upstreams} upstreams`;
    const share = taken.map(({ bare, gateway }) => gateway.perSecond / bare.perSecond);
    const detail = "gateway divided by bare proxy; opening the sessions included, each calls one of the servers";
    return [
      figure(
        `${what}: bare proxy`,
        taken.map(({ bare }) => bare.perSecond),
        "/s",
        "calls",
      ),
      figure(
        `${what}: gateway`,
        taken.map(({ gateway }) => gateway.perSecond),
        "/s",
        "calls",
      ),
      atLeast(`${what}: throughput of bare`, { value: share, bound: TARGETS.throughputShare }, "", detail),
    ];
  });
}
