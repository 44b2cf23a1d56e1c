import process from "node:process";
import type { Writable } from "node:stream";

/**
 * From now on SIGINT and SIGTERM fire the signal returned, and do nothing else however many come: a terminal, a
 * launcher and a
 * service manager may each send theirs, and a drain that a second one cut short would leave sessions without their
 * claims. It
 * fires too when `out` cannot be written: whoever waits there for the gateway to be ready never learns that it is. A
 * reader that
 * has gone does not wait.
 */
export function stopSignal(out: Writable): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stop.abort());
  out.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code !== "EPIPE") stop.abort();
  });
  // A process that ends of itself takes its handlers away first, and a signal in between would still decide how it
  // ended.
  process.once("beforeExit", () => process.exit());
  return stop.signal;
}
