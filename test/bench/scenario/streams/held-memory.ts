import type { Abandoned } from "../../load/job.ts";
import { TARGETS } from "../../plan.ts";
import { atMost, figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { PRINCIPALS } from "./concurrent.ts";
import { withInstrumented, type Look } from "../instrumented.ts";
import { order } from "../order.ts";

const KIBI = 1024;
/** Longer than any look takes: a held stream says one thing and then nothing. */
const SILENT_MS = 25_000;

function held({ heap, external }: Look): number {
  return heap + external;
}

/** The enclave's memory of sessions that were used once and are idle. */
export async function idleSessions({ setUp, generator, plan }: Bench): Promise<Row[]> {
  const { idleSessions: sessions } = plan.streams;
  const setup = await setUp({
    enclave: [`max_sessions: ${sessions * 2}`, `max_sessions_per_principal: ${sessions * 2}`],
  });
  const [token] = setup.tokens;
  return await withInstrumented(setup, async ({ port, look }) => {
    const open = async (count: number): Promise<void> => {
      const { calls } = await order<Abandoned>(generator, {
        kind: "abandon",
        port,
        token,
        sessions: count,
        withinMs: Number.MAX_SAFE_INTEGER,
      });
      if (calls < count) throw new Error(`${count - calls} sessions could not be used`);
    };
    // The first ones also pay for what is made once.
    await open(Math.ceil(sessions / 2));
    await look();
    const before = await look();
    await open(sessions);
    const after = await look();
    return [
      atMost(
        "memory of an idle session",
        { value: (held(after) - held(before)) / sessions / KIBI, bound: TARGETS.sessionKiB },
        "KiB",
        `heap after collection and what lies outside it; ${sessions} sessions with one call each, none closed`,
      ),
    ];
  });
}

/** The enclave's memory of streams that are open. */
export async function openStreams({ setUp, generator, plan }: Bench): Promise<Row[]> {
  const { openStreams: streams } = plan.streams;
  const setup = await setUp({ server: "stream", principals: PRINCIPALS });
  return await withInstrumented(setup, async ({ port, look }) => {
    const pace = { events: 2, firstMs: 0, everyMs: SILENT_MS };
    const hold = async (): Promise<void> =>
      void (await order<object>(generator, { kind: "hold", port, tokens: setup.tokens, streams, pace }));
    const release = async (): Promise<void> => void (await order<object>(generator, { kind: "release" }));
    await hold();
    await release();
    await look();
    const before = await look();
    await hold();
    const during = await look();
    await release();
    const after = await look();
    return [
      atMost(
        "memory of an open stream",
        { value: (held(during) - held(before)) / streams / KIBI, bound: TARGETS.streamKiB },
        "KiB",
        `heap after collection and what lies outside it; ${streams} streams after their first event`,
      ),
      figure(
        "left of a stream once it was given up",
        (held(after) - held(before)) / streams / KIBI,
        "KiB",
        "its session's record included",
      ),
    ];
  });
}
