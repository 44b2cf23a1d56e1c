import { performance } from "node:perf_hooks";
import { callBody } from "../call.ts";
import { Client, isResult, refusalOf } from "./client.ts";
import { Connection } from "./connection.ts";
import type { Abandon, Abandoned } from "./job.ts";

/** Connections the sessions are opened on. */
const CONNECTIONS = 16;

type Tally = Record<string, number>;

function count(tally: Tally, code: string): void {
  tally[code] = (tally[code] ?? 0) + 1;
}

/** Opens sessions and leaves each after one call. Where a session is refused the call names none. Stops early when the time is over. */
export async function abandon(order: Abandon): Promise<Abandoned> {
  const refused: Tally = {};
  const callsRefused: Tally = {};
  const until = performance.now() + order.withinMs;
  let left = order.sessions;
  let opened = 0;
  let calls = 0;
  const work = async (): Promise<void> => {
    const connection = await Connection.open(order.port);
    while (left > 0 && performance.now() < until) {
      left -= 1;
      const client = new Client(connection, order.token);
      const answer = await client.initialize();
      if (isResult(answer)) opened += 1;
      else count(refused, refusalOf(answer));
      const called = await client.send(callBody(left));
      if (isResult(called)) calls += 1;
      else count(callsRefused, refusalOf(called));
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  return { opened, refused, calls, callsRefused };
}
