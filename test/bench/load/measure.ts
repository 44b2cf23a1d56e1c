import { performance } from "node:perf_hooks";
import { callBody } from "../call.ts";
import { cpuMs } from "../processes/usage.ts";
import { Client, isResult, refusalOf } from "./client.ts";
import type { Job, Measured } from "./job.ts";

/** The value below which `share` of the sorted values lie. */
export function percentile(sorted: Float64Array | readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function loop(client: Client, until: number, latencies: number[] | null): Promise<void> {
  for (let sent = performance.now(); sent < until; ) {
    const answer = await client.call();
    const received = performance.now();
    if (!isResult(answer)) throw new Error(`a call was answered ${answer.status} ${refusalOf(answer)}`);
    latencies?.push(received - sent);
    sent = received;
  }
}

/** Calls on every connection, one call at a time each, first to warm up, then measured. */
export async function measure(job: Job): Promise<Measured> {
  const body = callBody();
  const clients = await Promise.all(
    Array.from({ length: job.connections }, () => Client.connect(job.port, job.token, body)),
  );
  await Promise.all(clients.map((client) => client.initialize()));
  const warm = performance.now() + job.warmMs;
  await Promise.all(clients.map((client) => loop(client, warm, null)));
  const latencies: number[] = [];
  const cpuBefore = await cpuMs(job.pids);
  const started = performance.now();
  await Promise.all(clients.map((client) => loop(client, started + job.measureMs, latencies)));
  const elapsed = performance.now() - started;
  const cpu = (await cpuMs(job.pids)) - cpuBefore;
  await Promise.all(clients.map((client) => client.close()));
  const sorted = Float64Array.from(latencies).sort();
  return {
    calls: sorted.length,
    perSecond: (sorted.length * 1000) / elapsed,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    cpuPerCall: (cpu * 1000) / sorted.length,
  };
}
