import { startGateway } from "../../../gateway/gateway.ts";
import type { StreamsRead } from "../../load/job.ts";
import { atLeast, figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { order } from "../order.ts";

const EVENTS_PER_SECOND = 10;

/** Principals the streams belong to; one alone may have no more than 128 requests under way. */
export const PRINCIPALS = 4;

/** Many streamed results at once, each with events all the time; whether every one arrives whole. */
export async function concurrent({ setUp, generator, plan }: Bench): Promise<Row[]> {
  const { concurrent: streams, seconds } = plan.streams;
  const { config, environment, tokens } = await setUp({ server: "stream", principals: PRINCIPALS });
  const gateway = await startGateway(config, environment);
  try {
    const pace = { events: seconds * EVENTS_PER_SECOND, firstMs: 0, everyMs: 1000 / EVENTS_PER_SECOND };
    const read = await order<StreamsRead>(generator, {
      kind: "together",
      port: Number(new URL(gateway.url).port),
      tokens,
      streams,
      pace,
    });
    const broken = Object.entries(read.broken).map(([why, count]) => `${count} ${why}`);
    return [
      atLeast(
        `streams whole, of ${streams} for ${seconds} s`,
        { value: read.whole, bound: streams },
        "",
        broken.length === 0 ? `${EVENTS_PER_SECOND} events a second and a result each` : broken.join(", "),
      ),
      atLeast(
        "most of them open at one time",
        { value: read.mostOpen, bound: streams },
        "",
        "each from its first byte to its end",
      ),
      figure(
        "events of those streams",
        read.events,
        "",
        `of ${streams * pace.events}, in order, each once; first byte p99 ${read.p99.toFixed(0)} ms when all open at once`,
      ),
    ];
  } finally {
    await gateway.stop();
  }
}
