import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { Abandoned } from "../load/job.ts";
import { TARGETS } from "../plan.ts";
import { atMost, figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { withInstrumented } from "./instrumented.ts";
import { order } from "./order.ts";
import { noSessionOpen } from "./settled.ts";

const MEBI = 2 ** 20;

/** Sessions kept at a time: far fewer than come before the first look, so that both looks see evictions behind them. */
const KEPT = 128;
/** Seconds after which what is kept goes too, so that neither look finds a session that is still open. */
const IDLE_SECONDS = 3;
/**
 * Milliseconds without work in which V8 lets go of the code that ran at the start only, some MiB. A collection that
 * is asked for leaves it.
 */
const CODE_AGES_MS = 35_000;

function tally(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([code, count]) => `${count} ${code}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

function drift(what: string, before: number, after: number, bound: number): Row {
  return atMost(
    what,
    { value: Math.abs(after / before - 1) * 100, bound: bound * 100 },
    "%",
    `${(before / MEBI).toFixed(1)} to ${(after / MEBI).toFixed(1)} MiB`,
  );
}

/**
 * Opens sessions and abandons them, one call in each, and looks at the enclave's heap after a collection
 * and at its resident memory, before and after the larger part. The enclave is the shipped bundle, started
 * by the bench's own host with a probe loaded before it.
 */
export async function memory({ setUp, generator, plan }: Bench): Promise<Row[]> {
  const setup = await setUp({
    enclave: [`max_sessions: ${KEPT}`, `max_sessions_per_principal: ${KEPT}`, `session_idle_seconds: ${IDLE_SECONDS}`],
  });
  const [token] = setup.tokens;
  return await withInstrumented(setup, async ({ port, look }) => {
    const { from, to, withinMs } = plan.memory;
    const until = performance.now() + withinMs + CODE_AGES_MS;
    const abandon = async (sessions: number, shareOfTime: number): Promise<Abandoned> => {
      const seen = await order<Abandoned>(generator, {
        kind: "abandon",
        port,
        token,
        sessions,
        withinMs: (until - performance.now()) * shareOfTime,
      });
      await noSessionOpen(port, token);
      return seen;
    };
    // V8 sizes its heap by what it saw before, a collection included: the first look does not count.
    const first = await abandon(Math.ceil(from / 2), 1 / 4);
    await delay(CODE_AGES_MS);
    await look();
    const second = await abandon(Math.floor(from / 2), 1 / 3);
    const before = await look();
    const seen = await abandon(to - from, 1);
    const after = await look();
    const begun = first.calls + second.calls;
    const range = `from session ${begun} to ${begun + seen.calls}`;
    return [
      drift(`heap after collection, ${range}`, before.heap, after.heap, TARGETS.heapDrift),
      drift(`resident memory, ${range}`, before.rss, after.rss, TARGETS.rssDrift),
      figure(
        "sessions opened and abandoned",
        seen.opened,
        "",
        `of ${to - from}${seen.calls < to - from ? `, as many as were done within ${withinMs / 1000} s` : ""}; ${KEPT} kept at a time; refused: ${tally(seen.refused)}`,
      ),
      figure("calls in or beside them", seen.calls, "", `refused: ${tally(seen.callsRefused)}`),
    ];
  });
}
