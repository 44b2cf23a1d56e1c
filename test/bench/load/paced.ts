import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { callBody } from "../call.ts";
import { Client } from "./client.ts";
import { Connection } from "./connection.ts";
import type { Paced, PacedServed } from "./job.ts";
import { nth, percentile } from "./measure.ts";

/** Connections that a call may take. It waits while all are in use, and its time counts from before. */
export const PACED_CONNECTIONS = 64;

/**
 * Calls at a fixed rate, whatever the answers take. The latency of a call counts from the moment that it was to be sent
 * at, so that a target that stalls is charged for every call that it holds up.
 */
export async function paced(load: Paced): Promise<PacedServed> {
  const { port, tokens, tools } = load;
  const lines = await Promise.all(Array.from({ length: PACED_CONNECTIONS }, () => Connection.open(port)));
  const clients = lines.map((line, index) => new Client(line, nth(tokens, index)));
  await Promise.all(clients.map((client) => client.initialize()));
  const served = await inPace(load, clients, async (client, number) => {
    await client.call(callBody(number, nth(tools, number)));
  });
  for (const client of clients) await client.end();
  for (const line of lines) line.close();
  return served;
}

/**
 * Makes calls on lines that carry one at a time, each when it is due.
 * @param call makes the call of a number, from 1 on
 */
export async function inPace<Line>(
  { perSecond, warmMs, measureMs }: Paced,
  lines: readonly Line[],
  call: (line: Line, number: number) => Promise<void>,
): Promise<PacedServed> {
  const free = [...lines];
  const waiting: number[] = [];
  const latencies: number[] = [];
  const late: number[] = [];
  let number = 0;
  const measuredFrom = performance.now() + warmMs;
  const run = async (line: Line): Promise<void> => {
    for (let due = waiting.shift(); due !== undefined; due = waiting.shift()) {
      number += 1;
      await call(line, number);
      if (due >= measuredFrom) latencies.push(performance.now() - due);
    }
    free.push(line);
  };
  const running: Promise<void>[] = [];
  const from = measuredFrom - warmMs;
  const total = Math.floor(((warmMs + measureMs) * perSecond) / 1000);
  for (let sent = 0; sent < total; sent += 1) {
    const due = from + (sent * 1000) / perSecond;
    const wait = due - performance.now();
    if (wait > 0) await delay(wait);
    late.push(performance.now() - due);
    waiting.push(due);
    const line = free.shift();
    if (line !== undefined) running.push(run(line));
  }
  await Promise.all(running);
  const sorted = latencies.toSorted((left, right) => left - right);
  const lateness = late.toSorted((left, right) => left - right);
  return {
    calls: sorted.length,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
    lateP50: percentile(lateness, 0.5),
    lateP99: percentile(lateness, 0.99),
  };
}
