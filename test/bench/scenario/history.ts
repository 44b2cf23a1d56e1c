import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { ObservedStore, startObservedHost } from "../../hostile/observed-host.ts";
import { median, TARGETS } from "../plan.ts";
import { cpuMs } from "../processes/usage.ts";
import { atMost, figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import type { Setup } from "./setup.ts";
import { WrittenRecord } from "./written-record.ts";

const MEBI = 2 ** 20;

/** What a start took: time until the enclave serves, and processor time of it and of the host, in milliseconds. */
interface Start {
  readonly ms: number;
  readonly cpu: number;
}

/** Starts an enclave over a store. It dies without a stop, so that it leaves no snapshot behind. */
async function start({ config, environment, tokens: [token] }: Setup, record: ObservedStore): Promise<Start> {
  const host = await startObservedHost(config, environment, { record });
  try {
    const before = process.cpuUsage();
    const started = performance.now();
    const enclave = await host.startEnclave();
    const ms = performance.now() - started;
    const { user, system } = process.cpuUsage(before);
    const cpu = (user + system) / 1000 + (await cpuMs([enclave.pid]));
    const { body } = await host.request("GET", "/v1/status", undefined, { authorization: `Bearer ${token}` });
    const { history } = JSON.parse(body) as { history: { state: string } };
    if (history.state !== "complete") throw new Error(`the history is ${JSON.stringify(history)}`);
    process.kill(enclave.pid, "SIGKILL");
    return { ms, cpu };
  } finally {
    await host.close();
  }
}

/** How long starts take after a number of recorded calls. */
async function startsAfter({ setUp, plan }: Bench, calls: number): Promise<{ starts: Start[]; mebibytes: number }> {
  const setup = await setUp({ principals: plan.history.principals });
  const path = join(dirname(setup.config), "written.db");
  const store = new ObservedStore(path, { durable: false });
  try {
    const record = await WrittenRecord.begin(store, setup, plan.history.principals);
    await record.grow(calls);
    await record.close();
    store.batches.length = 0;
    await store.compact();
    const starts: Start[] = [];
    for (let round = 0; round < plan.starts; round += 1) starts.push(await start(setup, store));
    return { starts, mebibytes: (await stat(path)).size / MEBI };
  } finally {
    await store.close();
    await setup.servers.stop();
  }
}

/** How long a start takes after ever more recorded calls of many principals. */
export async function history(bench: Bench, counts: readonly number[]): Promise<Row[]> {
  const rows: Row[] = [];
  const processor: number[] = [];
  for (const calls of counts) {
    const { starts, mebibytes } = await startsAfter(bench, calls);
    const cpu = starts.map((one) => one.cpu);
    processor.push(median(cpu));
    const record = `${bench.plan.history.principals} principals, ${Math.round(mebibytes)} MiB in the file of the store`;
    const times = starts.map(({ ms }) => ms);
    rows.push(figure(`start after ${calls} recorded calls`, times, "ms", record));
    rows.push(figure(`start after ${calls} recorded calls: CPU`, cpu, "ms", "host and enclave"));
  }
  const value = (processor.at(-1) ?? Number.NaN) / (processor.at(0) ?? Number.NaN);
  return [...rows, atMost("last start ÷ first: CPU", { value, bound: TARGETS.historyGrowth }, "", "of the medians")];
}
