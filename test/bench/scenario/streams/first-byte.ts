import type { StreamsRead } from "../../load/job.ts";
import { TARGETS } from "../../plan.ts";
import { atMost, figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { order } from "../order.ts";
import { rounds, withSides, type Side } from "../sides.ts";

/** Milliseconds a server thinks before its first event: one that answers at once, which no real tool does, and a fast one. */
const THINKING = [0, 10] as const;

/** How long until an agent sees the first byte of a streamed result, against the bare proxy. */
export async function firstByte({ setUp, generator, plan }: Bench): Promise<Row[]> {
  const setup = await setUp({ server: "stream" });
  return await withSides(setup, async (sides) => {
    const read = async ({ port }: Side, firstMs: number): Promise<StreamsRead> => {
      const taken = await order<StreamsRead>(generator, {
        kind: "read",
        port,
        tokens: setup.tokens,
        streams: plan.streams.firstBytes,
        pace: { events: 1, firstMs, everyMs: 1 },
      });
      if (taken.whole < plan.streams.firstBytes)
        throw new Error(`streams were not whole: ${JSON.stringify(taken.broken)}`);
      return taken;
    };
    for (let round = 0; round < plan.rounds; round += 1)
      for (const side of [sides.bare, sides.gateway]) await read(side, 0);
    const rows: Row[] = [];
    for (const firstMs of THINKING) {
      const taken = await rounds(sides, plan.rounds, (side) => read(side, firstMs));
      const what = `first byte of a stream, first event after ${firstMs} ms`;
      const ratio = taken.map(({ bare, gateway }) => gateway.p50 / bare.p50);
      rows.push(
        figure(
          `${what}: p50, bare proxy`,
          taken.map(({ bare }) => bare.p50),
          "ms",
          "",
        ),
        figure(
          `${what}: p50, gateway`,
          taken.map(({ gateway }) => gateway.p50),
          "ms",
          "",
        ),
        firstMs === 0
          ? atMost(`${what}: of bare`, { value: ratio, bound: TARGETS.firstByteRatio }, "×", "p50s, round by round")
          : figure(`${what}: of bare`, ratio, "×", "p50s, round by round"),
      );
    }
    return rows;
  });
}
