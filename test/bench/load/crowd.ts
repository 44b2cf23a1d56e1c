import { performance } from "node:perf_hooks";
import { UPSTREAM_HEADER, callBody } from "../call.ts";
import { Client } from "./client.ts";
import { Connection } from "./connection.ts";
import type { Crowd, CrowdServed } from "./job.ts";
import { nth } from "./measure.ts";

/** Opens every session, then has each make its calls in turn with the others; opening counts as time. */
export async function crowd({ port, token, sessions, callsEach, connections, tools }: Crowd): Promise<CrowdServed> {
  const lines = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  const clients = lines.map((connection, line) => {
    const own = Array.from({ length: sessions }, (_, session) => session).filter(
      (session) => session % connections === line,
    );
    return own.map((session) => ({
      client: new Client(connection, token, { [UPSTREAM_HEADER]: String(session % tools.length) }),
      tool: nth(tools, session),
    }));
  });
  const work = async (own: (typeof clients)[number]): Promise<void> => {
    for (const { client } of own) await client.initialize();
    for (let call = 0; call < callsEach; call += 1)
      for (const { client, tool } of own) await client.call(callBody(call, tool));
  };
  const started = performance.now();
  await Promise.all(clients.map(work));
  const elapsed = performance.now() - started;
  await Promise.all(
    clients.map(async (own) => {
      for (const { client } of own) await client.end();
    }),
  );
  for (const line of lines) line.close();
  const calls = sessions * callsEach;
  return { calls, perSecond: (calls * 1000) / elapsed };
}
