import type { Caller } from "../access/caller.ts";
import { faulted } from "./session-closer.ts";
import type { RecordedSession } from "./recorded-session.ts";
import type { ClosedSession, Sessions } from "./sessions.ts";
import type { StoredSession, StoredSessions } from "./stored-sessions.ts";

/** Where sessions are looked up: in memory, and in the log. */
export interface LookupPorts {
  readonly sessions: Pick<Sessions, "byId" | "byHandle" | "findByLabel" | "closedById" | "isFaulted">;
  readonly stored: Pick<StoredSessions, "read">;
  /** The public key of this instance, base64url. */
  readonly x: string;
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
    const { sessions, stored, x } = this.#parts;
    if (sessions.isFaulted(caller, id)) throw faulted();
    const known = sessions.closedById(caller, id);
    if (known !== undefined) return known;
    const session = await stored.read(caller, id);
    if (session?.closed == null || session.closed.claim.trace.cnf.jwk.x !== x) return null;
    return { principalId: caller.principalId, ...session.point, claim: session.closed.claim };
  }

  /** A session that an earlier instance closed or left, see {@link StoredSessions.read}. */
  async earlier(caller: Caller, id: string): Promise<StoredSession | null> {
    return await this.#parts.stored.read(caller, id);
  }
}
