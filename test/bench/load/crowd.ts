import { performance } from "node:perf_hooks";
import { UPSTREAM_HEADER, callBody } from "../call.ts";
import { Client, isResult, refusalOf } from "./client.ts";
import { Connection } from "./connection.ts";
import type { Crowd, CrowdServed } from "./job.ts";

/** Opens every session, then has each make its calls in turn with the others; opening counts as time. */
export async function crowd({ port, token, sessions, callsEach, connections, tools }: Crowd): Promise<CrowdServed> {
  const bodies = tools.map((tool) => callBody(tool));
  const lines = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  const clients = lines.map((connection, line) => {
    const own = Array.from({ length: sessions }, (_, session) => session).filter(
      (session) => session % connections === line,
    );
    return own.map(
      (session) =>
        new Client(connection, token, bodies[session % tools.length] ?? "", {
          [UPSTREAM_HEADER]: String(session % tools.length),
        }),
    );
  });
  const work = async (own: readonly Client[]): Promise<void> => {
    for (const client of own) await client.initialize();
    for (let call = 0; call < callsEach; call += 1) {
      for (const client of own) {
        const answer = await client.call();
        if (!isResult(answer)) throw new Error(`a call was answered ${answer.status} ${refusalOf(answer)}`);
      }
    }
  };
  const started = performance.now();
  await Promise.all(clients.map(work));
  const elapsed = performance.now() - started;
  await Promise.all(
    clients.map(async (own) => {
      for (const client of own) await client.end();
    }),
  );
  for (const line of lines) line.close();
  const calls = sessions * callsEach;
  return { calls, perSecond: (calls * 1000) / elapsed };
}
