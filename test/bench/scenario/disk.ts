import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SqliteStore } from "@cmcp/host-proxy";
import { TARGETS } from "../plan.ts";
import { atMost, figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { withRunning } from "./storms/running.ts";

/** Sessions that the calls are made in. */
const SESSIONS = 64;

/** Bytes of a gateway's record, after calls of 2 KB, a stop and the compaction of what is old. */
export async function disk(bench: Bench): Promise<Row[]> {
  const calls = Math.ceil(bench.plan.diskCalls / SESSIONS);
  const path = await withRunning(bench, {}, async ({ setup, fill }) => {
    await fill(setup.tokens[0], SESSIONS, calls);
    return join(dirname(setup.config), "audit.db");
  });
  const before = (await stat(path)).size;
  const store = new SqliteStore(path, { durable: false });
  await store.compact();
  await store.close();
  const value = (await stat(path)).size / (calls * SESSIONS);
  const bound = TARGETS.diskBytes;
  return [
    atMost("bytes on disk of a 2 KB call", { value, bound }, "", `${calls * SESSIONS} calls, claims included`),
    figure("size of the store at the stop", before / 2 ** 20, "MiB", "compaction goes on beside the calls"),
  ];
}
