import type { Core } from "../core.ts";
import { reportFault } from "../report-fault.ts";
import { closeSession } from "./claims.ts";

/** How often idle and evicted sessions are looked for, in milliseconds. */
const EVERY_MS = 1_000;

/** Closes, for as long as the process lives, sessions that were idle for too long or made room for others. */
export function startSweeping(core: Core): void {
  const timer = setInterval(() => {
    for (const recorded of core.sessions.takeOver()) {
      closeSession(core, recorded).catch((thrown: unknown) => {
        // Most likely the host's store is down: the session is due again at the next turn.
        reportFault(thrown);
        core.sessions.setAside(recorded);
      });
    }
  }, EVERY_MS);
  timer.unref();
}
