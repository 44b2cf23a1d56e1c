import type { Core } from "../core.ts";
import { reportFault } from "../report-fault.ts";
import { closeSession } from "./claims.ts";

/** How often idle and evicted sessions are looked for, in milliseconds. */
const EVERY_MS = 1_000;

/** Closes, for as long as the process lives, sessions that were idle for too long or made room for others. */
export function startSweeping(core: Core): void {
  const timer = setInterval(() => {
    for (const recorded of core.sessions.takeOver()) {
      // A store that is down leaves the session open; it is due again at the next turn.
      closeSession(core, recorded).catch(reportFault);
    }
  }, EVERY_MS);
  timer.unref();
}
