import process from "node:process";
import { reportFault } from "../instance/stderr-events.ts";

/**
 * Ends the process with code 1 at the first error that nothing caught. Node alone would print its message and its cause on
 * standard error, which the host reads, and either may quote a payload.
 */
export function endOnUncaught(): void {
  process.on("uncaughtException", (thrown) => {
    reportFault(thrown);
    process.exit(1);
  });
}
