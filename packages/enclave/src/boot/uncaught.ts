import process from "node:process";
import { reportFault } from "../instance/stderr-events.ts";

/**
 * Ends the process with code 1 at the first uncaught error. By default Node prints the message and the cause to standard error, which the
 * host reads, and both may quote a payload.
 */
export function endOnUncaught(): void {
  process.on("uncaughtException", (thrown) => {
    reportFault(thrown);
    process.exit(1);
  });
}
