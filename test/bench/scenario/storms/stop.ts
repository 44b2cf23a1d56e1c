import { dirname, join } from "node:path";
import { performance } from "node:perf_hooks";
import { SqliteStore } from "@cmcp/host-proxy";
import { TARGETS } from "../../plan.ts";
import { atLeast, atMost, figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { peakBytes, withRunning } from "./running.ts";

const MEBI = 2 ** 20;
const LOOK_MS = 200;

/** Sessions that have a claim in a gateway's store. */
async function claimed(path: string): Promise<ReadonlySet<string>> {
  const store = new SqliteStore(path, { durable: false });
  try {
    const sessions = new Set<string>();
    for await (const piece of store.scan({ kind: "claim", bodies: false }))
      for (const { session } of piece) sessions.add(session);
    return sessions;
  } finally {
    await store.close();
  }
}

/** A stop with many sessions open: how long it takes, and whether each has its claim. */
export async function stop(bench: Bench): Promise<Row[]> {
  const { stopSessions } = bench.plan;
  const bounds = [`max_sessions: ${stopSessions}`, `max_sessions_per_principal: ${stopSessions}`];
  return await withRunning(bench, { enclave: bounds }, async ({ setup, gateway, fill }) => {
    const sessions = await fill(setup.tokens[0], stopSessions, 1);
    let peak = 0;
    const started = performance.now();
    const stopped = gateway.stop();
    const look = setInterval(() => {
      peakBytes(gateway.enclave_pid).then(
        (bytes) => (peak = Math.max(peak, bytes)),
        () => undefined,
      );
    }, LOOK_MS);
    const code = await stopped;
    clearInterval(look);
    const seconds = (performance.now() - started) / 1000;
    const claims = await claimed(join(dirname(setup.config), "audit.db"));
    const made = sessions.filter(({ session }) => claims.has(session)).length;
    const what = `stop with ${stopSessions} open sessions`;
    return [
      figure(what, seconds, "s", `exit code ${code}; one call in each`),
      atLeast(`${what}: claims`, { value: made, bound: stopSessions }, "", "found in the log by session"),
      atMost(`${what}: enclave's peak memory`, { value: peak / MEBI, bound: TARGETS.enclaveMiB }, "MiB", "VmHWM"),
    ];
  });
}
