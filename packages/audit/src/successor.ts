import * as z from "zod";
import type { AuditEntry } from "./entry.ts";

/**
 * The member of an entry's `detail` that names the session before it. A `session_reset` names the session that it
 * closes. The first entry of a successor names it again, and so does the `session_start` of a session that goes on
 * for a full one.
 */
export const CLOSED_SESSION = "closed_session_id";
/** The member of the `detail` of `session_reset` and `session_end` that names the session that goes on. */
export const SUCCESSOR_SESSION = "successor_session_id";
/**
 * The member of the `detail` of a `session_reset` that is the first entry of a successor. It names the session before that
 * one, as {@link CLOSED_SESSION} names the successor itself there.
 */
export const PREVIOUS_SESSION = "previous_session_id";

const id = z.uuid();

/** The session to which the entries behind a `session_reset` belong; `null` for any other entry, and for a reset that names none. */
export function successorOf({ entry_type: type, detail, session_id: own }: SessionMembers): string | null {
  if (type !== "session_reset" || detail?.[CLOSED_SESSION] !== own) return null;
  const successor = detail[SUCCESSOR_SESSION];
  return id.safeParse(successor).success && typeof successor === "string" && successor !== own ? successor : null;
}

/** The session of a chain that ends with an entry: its own, or the successor that a reset names. */
export function sessionAfter(entry: SessionMembers): string {
  return successorOf(entry) ?? entry.session_id;
}

/** The session that the `session_end` of a full session names as the one that goes on for it. */
export function continuationOf({ entry_type: type, detail }: SessionMembers): string | null {
  const successor = type === "session_end" ? detail?.[SUCCESSOR_SESSION] : undefined;
  return typeof successor === "string" ? successor : null;
}

/** The session before an entry's own that the first entry of a session names. */
export function predecessorOf({ entry_type: type, detail }: SessionMembers): string | null {
  const closed = type === "session_reset" ? undefined : detail?.[CLOSED_SESSION];
  return typeof closed === "string" ? closed : null;
}

type SessionMembers = Pick<AuditEntry, "entry_type" | "session_id" | "detail">;
