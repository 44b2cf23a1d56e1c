import type { Core } from "../boot/core.ts";
import { reportFault } from "../instance/report-fault.ts";
import { closeSession } from "./claims.ts";
import type { RecordedSession } from "./recorded-session.ts";

/** How often idle sessions, and those that could not be closed before, are looked for, in milliseconds. */
const EVERY_MS = 1_000;

/** Closes, for as long as the process lives, sessions that were idle for too long. */
export function startSweeping(core: Core): void {
  setInterval(() => {
    // While the host's store is behind nothing can be closed, and what is due stays due.
    if (!core.journal.behind) closeAll(core, core.sessions.takeOver());
  }, EVERY_MS).unref();
}

/** Begins to close what made room for other sessions. */
export function closeEvicted(core: Core): void {
  closeAll(core, core.sessions.takeEvicted());
}

function closeAll(core: Core, sessions: readonly RecordedSession[]): void {
  for (const recorded of sessions) closeSession(core, recorded).catch(reportFault);
}
