import { performance } from "node:perf_hooks";
import { callBody } from "../call.ts";
import { cpuMs } from "../processes/usage.ts";
import { Client } from "./client.ts";
import { Connection } from "./connection.ts";
import type { Job, Measured } from "./job.ts";

/** Most sessions of a connection, each of another principal. */
const SESSIONS = 4;

/** The value below which `share` of the sorted values lie. */
export function percentile(sorted: Float64Array | readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** A member of a list, whose end is followed by its beginning. @throws Error when it is empty */
export function nth<T>(list: readonly T[], index: number): T {
  const member = list[index % list.length];
  if (member === undefined) throw new Error("the list is empty");
  return member;
}

/** Connections with open sessions of all principals in turn. */
async function connect({
  port,
  tokens,
  connections,
  handle,
}: Job): Promise<{ lines: Connection[]; clients: Client[][] }> {
  const lines = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  if (handle !== undefined)
    return { lines, clients: lines.map((line) => [new Client(line, nth(tokens, 0)).join(handle)]) };
  const sessions = Math.min(SESSIONS, tokens.length);
  const clients = lines.map((line, index) =>
    Array.from({ length: sessions }, (_, session) => new Client(line, nth(tokens, index * sessions + session))),
  );
  await Promise.all(
    clients.map(async (own) => {
      for (const client of own) await client.initialize();
    }),
  );
  return { lines, clients };
}

/**
 * Calls on every connection, one at a time each, first to warm up, then measured. Principals, tools and arguments
 * change from call to call.
 */
export async function measure(job: Job): Promise<Measured> {
  const { lines, clients } = await connect(job);
  let number = 0;
  const loop = async (own: readonly Client[], until: number, latencies: number[] | null): Promise<void> => {
    for (let sent = performance.now(); sent < until; ) {
      number += 1;
      await nth(own, number).call(callBody(number, nth(job.tools, number)));
      const received = performance.now();
      latencies?.push(received - sent);
      sent = received;
    }
  };
  const warm = performance.now() + job.warmMs;
  await Promise.all(clients.map((own) => loop(own, warm, null)));
  const latencies: number[] = [];
  const cpuBefore = await cpuMs(job.pids);
  const started = performance.now();
  await Promise.all(clients.map((own) => loop(own, started + job.measureMs, latencies)));
  const elapsed = performance.now() - started;
  const cpu = (await cpuMs(job.pids)) - cpuBefore;
  for (const client of clients.flat()) await client.end();
  for (const line of lines) line.close();
  const sorted = Float64Array.from(latencies).sort();
  return {
    calls: sorted.length,
    perSecond: (sorted.length * 1000) / elapsed,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    cpuPerCall: (cpu * 1000) / sorted.length,
  };
}
