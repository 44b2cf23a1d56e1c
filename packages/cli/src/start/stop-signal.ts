import process from "node:process";
import type { Writable } from "node:stream";

/**
 * Returns a signal that SIGINT and SIGTERM abort. Further ones change nothing: a terminal, a launcher and a service
 * manager
 * may each send one, and a drain cut short would leave sessions without claims. A failure to write `out` aborts it too,
 * because the reader that waits for the gateway to be ready would wait forever. A closed pipe (EPIPE) does not.
 */
export function stopSignal(out: Writable): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stop.abort());
  out.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code !== "EPIPE") stop.abort();
  });
  // Node removes the handlers before it exits, and a signal in between would then change the exit status.
  process.once("beforeExit", () => process.exit());
  return stop.signal;
}
