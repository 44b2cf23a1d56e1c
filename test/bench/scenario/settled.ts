import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";

const WITHIN_MS = 60_000;
const EVERY_MS = 250;

async function openSessions(port: number, token: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/status`, { headers: { authorization: `Bearer ${token}` } });
  const { sessions } = (await answer.json()) as {
    readonly sessions?: { readonly open: number; readonly evicted: number };
  };
  if (sessions === undefined) throw new Error(`the gateway's status was answered ${answer.status}`);
  return sessions.open + sessions.evicted;
}

/** Waits until the gateway has closed every session. @throws Error when it does not in a minute */
export async function noSessionOpen(port: number, token: string): Promise<void> {
  const until = performance.now() + WITHIN_MS;
  for (let open = await openSessions(port, token); open > 0; open = await openSessions(port, token)) {
    if (performance.now() > until)
      throw new Error(`${open} abandoned sessions are still open after ${WITHIN_MS / 1000} s`);
    await delay(EVERY_MS);
  }
}
