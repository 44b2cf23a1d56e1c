import { performance } from "node:perf_hooks";
import { callBody } from "../call.ts";
import { cpuMs } from "../processes/usage.ts";
import { Connection } from "./connection.ts";
import type { Job, Measured } from "./job.ts";
import { nth, percentile } from "./measure.ts";
import { checkAnswers, SealedSessions, type Held } from "./sealed-sessions.ts";
import type { Prepared } from "./sealing.ts";

/** Calls of each connection that are sealed at a time while a gateway warms up. */
const BATCH = 8;
/** Calls that are sealed for a measurement, above what the last batch says that it needs. */
const SPARE = 1.5;

/** Seals calls, so many for each connection. */
async function preparedFor(sessions: SealedSessions, { tools }: Job, each: number): Promise<Prepared[][]> {
  const all: Prepared[][] = [];
  for (let line = 0; line < sessions.count; line += 1) {
    const own: Prepared[] = [];
    for (let call = 0; call < each; call += 1) {
      const number = line * each + call;
      own.push(await sessions.call(line, callBody(number, nth(tools, number))));
    }
    all.push(own);
  }
  return all;
}

/** What came of some calls: answers, milliseconds of each and of all, and CPU milliseconds of the target. */
interface Sent {
  readonly held: readonly Held[];
  readonly latencies: readonly number[];
  readonly elapsed: number;
  readonly cpu: number;
}

/** Sends calls, on each connection one after the other, and begins none after `forMs`. */
async function send({ port, pids }: Job, prepared: readonly Prepared[][], forMs: number): Promise<Sent> {
  const connections = await Promise.all(prepared.map(() => Connection.open(port)));
  const held: Held[] = [];
  const latencies: number[] = [];
  const cpuBefore = await cpuMs(pids);
  const started = performance.now();
  await Promise.all(
    connections.map(async (connection, index) => {
      let sent = performance.now();
      for (const made of prepared[index] ?? []) {
        if (sent >= started + forMs) break;
        held.push({ made, answer: await connection.exchange(made.request) });
        const received = performance.now();
        latencies.push(received - sent);
        sent = received;
      }
    }),
  );
  const elapsed = performance.now() - started;
  const cpu = (await cpuMs(pids)) - cpuBefore;
  for (const connection of connections) connection.close();
  return { held, latencies, elapsed, cpu };
}

/**
 * As `measure`, with sealed calls. They are sealed before any is sent, and answers are opened after the last: what is measured is
 * the gateway, which shares the machine with this process.
 */
export async function measureSealed(job: Job): Promise<Measured> {
  const sessions = await SealedSessions.open(job.port, job.tokens, job.connections);
  let perLineMs = 0;
  for (let warmed = 0; warmed < job.warmMs; ) {
    const { held, latencies, elapsed } = await send(job, await preparedFor(sessions, job, BATCH), job.warmMs);
    await checkAnswers(held);
    perLineMs = elapsed / (latencies.length / sessions.count);
    warmed += elapsed;
  }
  const prepared = await preparedFor(sessions, job, Math.ceil((job.measureMs / perLineMs) * SPARE));
  const { held, latencies, elapsed, cpu } = await send(job, prepared, job.measureMs);
  await checkAnswers(held);
  await sessions.close();
  const sorted = Float64Array.from(latencies).sort();
  return {
    calls: sorted.length,
    perSecond: (sorted.length * 1000) / elapsed,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    cpuPerCall: (cpu * 1000) / sorted.length,
  };
}
