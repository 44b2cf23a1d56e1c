import type { Caller } from "../access/caller.ts";
import { faulted } from "./session-closer.ts";
import type { EarlierSession, EarlierSessions } from "./earlier-sessions.ts";
import { readClosed, type SignedOwnJournal } from "./read-closed.ts";
import type { RecordedSession } from "./recorded-session.ts";
import type { ClosedSession, Sessions } from "./sessions.ts";

/** Where sessions are looked up: in memory, in this instance's journal, in journals of earlier instances. */
export interface LookupPorts {
  readonly sessions: Pick<Sessions, "byId" | "byHandle" | "findByLabel" | "closedById" | "isFaulted">;
  readonly own: SignedOwnJournal;
  readonly earlier: EarlierSessions;
}

/** Finds a caller's session by the name in a request. Sessions of other principals look like sessions that do not exist. */
export class SessionLookup {
  readonly #parts: LookupPorts;

  constructor(parts: LookupPorts) {
    this.#parts = parts;
  }

  /** A session that is not closed, by id, handle or the caller's label. */
  open(caller: Caller, name: string): RecordedSession | undefined {
    const { sessions } = this.#parts;
    return sessions.byId(caller, name) ?? sessions.byHandle(caller, name) ?? sessions.findByLabel(caller, name);
  }

  /**
   * A session that this instance closed.
   * @throws CmcpError `AUDIT_STORE_MISMATCH` if it ended without a claim, or the store does not hold the chain that its claim names
   */
  async closed(caller: Caller, id: string): Promise<ClosedSession | null> {
    const { sessions, own } = this.#parts;
    if (sessions.isFaulted(caller, id)) throw faulted();
    return sessions.closedById(caller, id) ?? (await readClosed(own, caller, id));
  }

  /** A session of an earlier instance, see {@link EarlierSessions.read}. */
  async earlier(caller: Caller, id: string): Promise<EarlierSession | null> {
    return await this.#parts.earlier.read(caller, id);
  }
}
