import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { ObservedStore, startObservedHost } from "../../hostile/observed-host.ts";
import { median, TARGETS } from "../plan.ts";
import { atMost, figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import type { Setup } from "./setup.ts";
import { WrittenRecord } from "./written-record.ts";

const MEBI = 2 ** 20;

/** Milliseconds until an enclave serves from a store. The enclave dies without a stop, so that it leaves no snapshot behind. */
async function start({ config, environment, tokens: [token] }: Setup, record: ObservedStore): Promise<number> {
  const host = await startObservedHost(config, environment, { record });
  try {
    const started = performance.now();
    const enclave = await host.startEnclave();
    const taken = performance.now() - started;
    const { body } = await host.request("GET", "/v1/status", undefined, { authorization: `Bearer ${token}` });
    const { history } = JSON.parse(body) as { history: { state: string } };
    if (history.state !== "complete") throw new Error(`the history is ${JSON.stringify(history)}`);
    process.kill(enclave.pid, "SIGKILL");
    return taken;
  } finally {
    await host.close();
  }
}

/** How long starts take after a number of recorded calls. */
async function startsAfter({ setUp, plan }: Bench, calls: number): Promise<{ starts: number[]; mebibytes: number }> {
  const setup = await setUp({ principals: plan.history.principals });
  const path = join(dirname(setup.config), "written.db");
  const store = new ObservedStore(path, { durable: false });
  try {
    const record = await WrittenRecord.begin(store, setup, plan.history.principals);
    await record.grow(calls);
    await record.close();
    const starts: number[] = [];
    for (let round = 0; round < plan.starts; round += 1) starts.push(await start(setup, store));
    return { starts, mebibytes: (await stat(path)).size / MEBI };
  } finally {
    await store.close();
    await setup.servers.stop();
  }
}

/** How long a start takes after ever more recorded calls of many principals. */
export async function history(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  const medians: number[] = [];
  for (const calls of bench.plan.history.calls) {
    const { starts, mebibytes } = await startsAfter(bench, calls);
    medians.push(median(starts));
    const spread = `${Math.round(Math.min(...starts))} to ${Math.round(Math.max(...starts))} ms`;
    const record = `${bench.plan.history.principals} principals, ${Math.round(mebibytes)} MiB of record`;
    rows.push(figure(`start after ${calls} recorded calls`, median(starts), "ms", `${spread}; ${record}`));
  }
  const growth = (medians.at(-1) ?? Number.NaN) / (medians.at(0) ?? Number.NaN);
  return [...rows, atMost("last start ÷ first", { value: growth, bound: TARGETS.historyGrowth }, "", "of the medians")];
}
