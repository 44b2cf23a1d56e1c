import type { Measured } from "../load/job.ts";
import { figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { order } from "./order.ts";
import { rounds, withSides, type Round, type Side } from "./sides.ts";

const KIBI = 1024;
const MEBI = KIBI * KIBI;
/** Bytes of a result's text. The gateway delivers up to 2 MiB of a result by default. */
const SIZES: readonly number[] = [64 * KIBI, MEBI];
const CONNECTIONS = 4;

function rowsOf(size: number, taken: readonly Round<Measured>[]): Row[] {
  const what = `result of ${size / KIBI} KiB`;
  const added = taken.map(({ bare, gateway }) => gateway.p50 - bare.p50);
  return [
    figure(
      `${what}: p50, bare proxy`,
      taken.map(({ bare }) => bare.p50),
      "ms",
      `${CONNECTIONS} connections`,
    ),
    figure(
      `${what}: p50, gateway`,
      taken.map(({ gateway }) => gateway.p50),
      "ms",
      `${CONNECTIONS} connections`,
    ),
    figure(`${what}: added p50`, added, "ms", "round by round"),
    figure(
      `${what}: throughput of the gateway`,
      taken.map(({ gateway }) => (gateway.perSecond * size) / MEBI),
      "MiB/s",
      "",
    ),
    figure(
      `${what}: CPU of the gateway`,
      taken.map(({ gateway }) => (gateway.cpuPerCall / size) * (MEBI / 1000)),
      "ms/MiB",
      "host and enclave",
    ),
  ];
}

/** Calls whose results are large, through the gateway and through the bare proxy. */
export async function largeResults({ setUp, generator, plan }: Bench): Promise<Row[]> {
  const tools = SIZES.map((size) => `text_of_${size}`);
  const setup = await setUp({ tools: [tools] });
  return await withSides(setup, async (sides) => {
    const rows: Row[] = [];
    for (const [index, size] of SIZES.entries()) {
      const sample = (side: Side): Promise<Measured> => {
        const load = { tokens: setup.tokens, tools: tools.slice(index, index + 1), connections: CONNECTIONS };
        const { warmMs, measureMs } = plan;
        return order<Measured>(generator, { kind: "measure", ...load, warmMs, measureMs, ...side });
      };
      for (const side of [sides.bare, sides.gateway]) await sample(side);
      rows.push(...rowsOf(size, await rounds(sides, plan.rounds, sample)));
    }
    return rows;
  });
}
