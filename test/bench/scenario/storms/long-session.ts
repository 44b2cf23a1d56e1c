import { TOOLS } from "../../call.ts";
import type { BurstServed, Measured, OpenSession } from "../../load/job.ts";
import { TARGETS } from "../../plan.ts";
import { atMost, figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { order } from "../order.ts";
import { enclavePeak, withRunning } from "./running.ts";

/** Milliseconds of a measurement, few enough for the long session not to become full. */
const MEASURE_MS = 1_000;

/** What a call costs in a session that has had many, beside one in a new session; and the close of both. */
export async function longSession(bench: Bench): Promise<Row[]> {
  const { plan, generator } = bench;
  return await withRunning(bench, { principals: 2 }, async (running) => {
    const { port, pids, fill, setup } = running;
    const [token] = setup.tokens;
    const [long] = await fill(token, 1, plan.longCalls);
    if (long === undefined) throw new Error("the long session was not opened");
    const sample = ({ handle }: OpenSession): Promise<Measured> => {
      const load = { port, pids, tokens: [token], tools: TOOLS, connections: 1, handle };
      return order<Measured>(generator, { kind: "measure", ...load, warmMs: 200, measureMs: MEASURE_MS });
    };
    const close = async ({ session }: OpenSession): Promise<BurstServed> => {
      const requests = [{ method: "POST" as const, path: `/sessions/${session}/close`, token }];
      return await order<BurstServed>(generator, { kind: "burst", port, requests, withinMs: 600_000 });
    };
    const rounds: { long: Measured; fresh: Measured }[] = [];
    const closes: number[] = [];
    for (let round = 0; round < plan.rounds; round += 1) {
      const [fresh] = await fill(token, 1, 1);
      if (fresh === undefined) throw new Error("a session was not opened");
      if (round % 2 === 0) rounds.push({ long: await sample(long), fresh: await sample(fresh) });
      else {
        const first = await sample(fresh);
        rounds.push({ long: await sample(long), fresh: first });
      }
      closes.push((await close(fresh)).ms);
    }
    const closed = await close(long);
    const growth = (value: (one: Measured) => number): number[] =>
      rounds.map((round) => value(round.long) / value(round.fresh));
    const what = `session of ${plan.longCalls} calls`;
    const detail = "of a call in a new session, round by round";
    const bound = TARGETS.longCallGrowth;
    return [
      atMost(`${what}: CPU of a call`, { value: growth(({ cpuPerCall }) => cpuPerCall), bound }, "×", detail),
      atMost(`${what}: p50 of a call`, { value: growth(({ p50 }) => p50), bound }, "×", detail),
      figure(
        `${what}: p50 of a call in it`,
        rounds.map((round) => round.long.p50),
        "ms",
        "1 connection",
      ),
      figure(`${what}: its close`, closed.ms, "ms", `a claim of ${closed.bytes} bytes, which names each call`),
      figure("close of a new session", closes, "ms", "up to a few thousand calls"),
      await enclavePeak(what, running),
    ];
  });
}
