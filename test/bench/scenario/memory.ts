import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { developmentEnvironment } from "../../gateway/gateway.ts";
import type { Abandoned } from "../load/job.ts";
import { TARGETS, type Plan } from "../plan.ts";
import { Child } from "../processes/child.ts";
import { askProbe } from "../processes/probe-client.ts";
import { residentBytes } from "../processes/usage.ts";
import { atMost, figure, type Row } from "../report/row.ts";
import { order } from "./order.ts";

const MEBI = 2 ** 20;

interface Look {
  readonly heap: number;
  readonly rss: number;
}

function tally(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([code, count]) => `${count} ${code}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

function drift(what: string, before: number, after: number, bound: number): Row {
  return atMost(what, Math.abs(after / before - 1) * 100, bound * 100, "%", `${(before / MEBI).toFixed(1)} to ${(after / MEBI).toFixed(1)} MiB`);
}

/**
 * Opens sessions and abandons them, one call in each, and looks at the enclave's heap after a collection
 * and at its resident memory, before and after the larger part. The enclave is the shipped bundle, started
 * by the bench's own host with a probe loaded before it.
 */
export async function memory(config: string, generator: Child, plan: Plan): Promise<Row[]> {
  const token = randomBytes(32).toString("base64url");
  const folder = dirname(config);
  const socket = join(folder, "enclave.probe");
  const host = Child.start("./instrumented-host.ts", { config, socket, hostSocket: join(folder, "host.probe") }, developmentEnvironment(token));
  try {
    const { port, enclavePid } = await host.next<{ port: number; enclavePid: number }>();
    const look = async (): Promise<Look> => ({ rss: await residentBytes(enclavePid), heap: (await askProbe<{ heapUsed: number }>(socket, "heap")).heapUsed });
    const abandon = async (sessions: number): Promise<Abandoned> => await order<Abandoned>(generator, { kind: "abandon", port, token, sessions });
    const { from, to } = plan.memory;
    await abandon(from);
    const before = await look();
    const seen = await abandon(to - from);
    const after = await look();
    const range = `from session ${from} to ${to}`;
    return [
      drift(`heap after collection, ${range}`, before.heap, after.heap, TARGETS.heapDrift),
      drift(`resident memory, ${range}`, before.rss, after.rss, TARGETS.rssDrift),
      figure("sessions opened and abandoned", seen.opened, "", `of ${to - from}; refused: ${tally(seen.refused)}`),
      figure("calls in or beside them", seen.calls, "", `refused: ${tally(seen.callsRefused)}`),
    ];
  } finally {
    await host.stop();
  }
}
