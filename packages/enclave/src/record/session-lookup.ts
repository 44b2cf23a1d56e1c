import type { Caller } from "../access/caller.ts";
import { faulted } from "./session-closer.ts";
import type { EarlierSession, EarlierSessions } from "./earlier-sessions.ts";
import { readClosed, type SignedOwnJournal } from "./read-closed.ts";
import type { RecordedSession } from "./recorded-session.ts";
import type { ClosedSession, Sessions } from "./sessions.ts";

/** Where sessions are found: in memory, in this instance's own record, in those of instances before it. */
export interface LookupPorts {
  readonly sessions: Pick<Sessions, "byId" | "byHandle" | "findByLabel" | "closedById" | "isFaulted">;
  readonly own: SignedOwnJournal;
  readonly earlier: EarlierSessions;
}

/** Finds a caller's session by the name a request gives it. What belongs to another principal looks like what does not exist. */
export class SessionLookup {
  readonly #parts: LookupPorts;

  constructor(parts: LookupPorts) {
    this.#parts = parts;
  }

  /** One that is not closed yet, by its id, its handle, or the caller's own label for it. */
  open(caller: Caller, name: string): RecordedSession | undefined {
    const { sessions } = this.#parts;
    return sessions.byId(caller, name) ?? sessions.byHandle(caller, name) ?? sessions.findByLabel(caller, name);
  }

  /**
   * One that this instance closed.
   * @throws CmcpError `AUDIT_STORE_MISMATCH` for one that ended without a claim, or that the store does not hold as its claim says
   */
  async closed(caller: Caller, id: string): Promise<ClosedSession | null> {
    const { sessions, own } = this.#parts;
    if (sessions.isFaulted(caller, id)) throw faulted();
    return sessions.closedById(caller, id) ?? (await readClosed(own, caller, id));
  }

  /** One of an instance before this one, see {@link EarlierSessions.read}. */
  async earlier(caller: Caller, id: string): Promise<EarlierSession | null> {
    return await this.#parts.earlier.read(caller, id);
  }
}
