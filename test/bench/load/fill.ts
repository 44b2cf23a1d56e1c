import { performance } from "node:perf_hooks";
import { callBody } from "../call.ts";
import { Client } from "./client.ts";
import { Connection } from "./connection.ts";
import type { Fill, Filled, OpenSession } from "./job.ts";
import { nth } from "./measure.ts";

/**
 * Opens sessions and makes calls until each has that many entries, and leaves all open. The sessions of a principal
 * take turns. One session is called on all connections at a time.
 * @returns the sessions, and how long the calls took, in milliseconds
 */
export async function fill({ port, tokens, tools, sessions, calls, bytes, connections }: Fill): Promise<Filled> {
  const lines = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  const opened: OpenSession[] = [];
  const first = async (line: Connection, index: number): Promise<void> => {
    const token = nth(tokens, index);
    const client = new Client(line, token);
    await client.initialize();
    const { body } = await client.send(callBody(1, nth(tools, index), bytes));
    const session = /"session_id":"([^"]+)"/.exec(body)?.[1];
    if (session === undefined || client.handle === undefined)
      throw new Error("the first call of a session has no receipt");
    opened.push({ token, handle: client.handle, session });
  };
  let next = 0;
  const openAll = async (line: Connection): Promise<void> => {
    while (next < sessions) await first(line, next++);
  };
  await Promise.all(lines.map(openAll));
  const started = performance.now();
  let number = sessions;
  const last = sessions * calls;
  const callAll = async (line: Connection): Promise<void> => {
    while (number < last) {
      number += 1;
      const { token, handle } = nth(opened, number);
      await new Client(line, token).join(handle).call(callBody(number, nth(tools, number), bytes));
    }
  };
  await Promise.all(lines.map(callAll));
  for (const line of lines) line.close();
  return { ms: performance.now() - started, sessions: opened };
}
