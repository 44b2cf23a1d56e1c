import type { Agent } from "node:http";
import { streamBody } from "../stream-call.ts";
import { Client } from "./client.ts";
import { Connection, requestBytes } from "./connection.ts";
import type { Streams, StreamsRead } from "./job.ts";
import { percentile } from "./measure.ts";
import { readStream, streamAgent, type Reading, type Streamed } from "./streamed.ts";

/** Streams that are open until they are released. */
interface Held extends Opened {
  readonly readings: readonly Reading[];
}

interface Opened {
  readonly agent: Agent;
  readonly port: number;
  /** Headers of each session. */
  readonly sessions: readonly Readonly<Record<string, string>>[];
  /** Opens the index-th stream. */
  readonly open: (index: number) => Reading;
}

let held: Held | undefined;

async function opened({ port, tokens, pace }: Streams): Promise<Opened> {
  const agent = streamAgent();
  const sessions: Readonly<Record<string, string>>[] = [];
  for (const token of tokens) {
    const connection = await Connection.open(port);
    const client = new Client(connection, token);
    await client.initialize();
    sessions.push(client.headers);
    connection.close();
  }
  return {
    agent,
    port,
    sessions,
    open: (index) =>
      readStream(
        agent,
        port,
        { headers: sessions[index % sessions.length] ?? {}, body: streamBody(pace, index) },
        pace.events,
      ),
  };
}

/** Ends the sessions, on connections of their own: those that opened them would have been idle for too long. */
async function end({ agent, port, sessions }: Opened): Promise<void> {
  for (const headers of sessions) {
    const connection = await Connection.open(port);
    await connection.exchange(requestBytes("DELETE", headers, ""));
    connection.close();
  }
  agent.destroy();
}

function mostOpen(streams: readonly Streamed[]): number {
  return Math.max(
    0,
    ...streams.map(
      ({ begunAt }) => streams.filter((other) => other.begunAt <= begunAt && other.endedAt > begunAt).length,
    ),
  );
}

function summary(streams: readonly Streamed[]): StreamsRead {
  const times = streams.map(({ firstByteMs }) => firstByteMs).toSorted((left, right) => left - right);
  const broken: Record<string, number> = {};
  for (const { broken: why } of streams) if (why !== null) broken[why] = (broken[why] ?? 0) + 1;
  return {
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    whole: streams.filter((stream) => stream.broken === null).length,
    events: streams.reduce((sum, { events }) => sum + events, 0),
    mostOpen: mostOpen(streams),
    broken,
  };
}

/** Reads streams one after the other. */
export async function readInTurn(order: Streams): Promise<StreamsRead> {
  const sessions = await opened(order);
  const read: Streamed[] = [];
  for (let index = 0; index < order.streams; index += 1) read.push(await sessions.open(index).done);
  await end(sessions);
  return summary(read);
}

/** Reads streams that are all open at once. */
export async function readTogether(order: Streams): Promise<StreamsRead> {
  const sessions = await opened(order);
  const read = await Promise.all(Array.from({ length: order.streams }, (_, index) => sessions.open(index).done));
  await end(sessions);
  return summary(read);
}

/** Opens streams, waits for the first byte of each and leaves them open. */
export async function hold(order: Streams): Promise<object> {
  const sessions = await opened(order);
  const readings = Array.from({ length: order.streams }, (_, index) => sessions.open(index));
  held = { ...sessions, readings };
  await Promise.all(readings.map(({ begun }) => begun));
  const open = Promise.resolve(null);
  for (const { done } of readings) {
    const ended = await Promise.race([done, open]);
    if (ended !== null) throw new Error(`a stream that was to be held ended: ${ended.broken ?? "with its result"}`);
  }
  return {};
}

/** Gives up the streams that are held. */
export async function release(): Promise<object> {
  for (const { cancel } of held?.readings ?? []) cancel();
  if (held !== undefined) await end(held);
  held = undefined;
  return {};
}
