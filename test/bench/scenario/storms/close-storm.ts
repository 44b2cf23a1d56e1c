import { figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { beside, besideRows } from "./beside.ts";
import { enclavePeak, withRunning } from "./running.ts";

/** Milliseconds that another's calls are looked at: a close storm is over sooner. */
const MEASURE_MS = 2_000;

/** Many sessions of a principal that are closed at once. Each close answers with its claim. */
export async function closeStorm(bench: Bench): Promise<Row[]> {
  const { sessions, calls } = bench.plan.storm;
  const wish = { principals: 2, enclave: [`max_sessions_per_principal: ${sessions * 2}`] };
  return await withRunning(bench, wish, async (running) => {
    const [, token = ""] = running.setup.tokens;
    const requests = async () =>
      (await running.fill(token, sessions, calls)).map(({ session }) => ({
        method: "POST" as const,
        path: `/sessions/${session}/close`,
        token,
      }));
    const pairs = await beside(bench, running, { requests, measureMs: MEASURE_MS, givesUp: false });
    const what = `${sessions} closes at once`;
    return [
      figure(
        `${what}: all answered`,
        pairs.map(({ storm }) => storm.ms),
        "ms",
        `each with its claim; ${calls} calls in each session`,
      ),
      ...besideRows(what, pairs),
      await enclavePeak(what, running),
    ];
  });
}
