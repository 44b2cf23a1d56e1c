import type { BurstServed } from "../../load/job.ts";
import { atLeast, figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { order } from "../order.ts";
import { beside, besideRows } from "./beside.ts";
import { enclavePeak, withRunning } from "./running.ts";

const MEBI = 2 ** 20;

/** Many exports of one long session at once: another principal's calls in the first seconds, then one storm to its end. */
export async function exportStorm(bench: Bench): Promise<Row[]> {
  const { longCalls, storm } = bench.plan;
  return await withRunning(bench, { principals: 2 }, async (running) => {
    const [, token = ""] = running.setup.tokens;
    const [{ session } = { session: "" }] = await running.fill(token, 1, longCalls);
    const exports = Array.from({ length: storm.exports }, () => ({
      method: "GET" as const,
      path: `/audit/export?session_id=${session}`,
      token,
    }));
    const pairs = await beside(bench, running, {
      requests: () => Promise.resolve(exports),
      measureMs: storm.measureMs,
      givesUp: true,
    });
    const { ms, whole, bytes, refused } = await order<BurstServed>(running.storm, {
      kind: "burst",
      port: running.port,
      requests: exports,
      withinMs: 420_000,
    });
    const what = `${storm.exports} exports at once`;
    return [
      ...besideRows(what, pairs),
      atLeast(
        `${what}: whole`,
        { value: whole, bound: storm.exports },
        "",
        `a session of ${longCalls} calls; ${refused.length === 0 ? "none refused" : refused.join(", ")}`,
      ),
      figure(`${what}: all answered`, ms / 1000, "s", `${(bytes / whole / MEBI).toFixed(1)} MiB each`),
      await enclavePeak(what, running),
    ];
  });
}
