import { readRecord, type AuditEntry, type Intent } from "@cmcp/audit";
import { untrusted } from "@cmcp/boundary";
import { ofSession, type HostStore } from "./record-room.ts";

/** The entries of a session that a host holds, in order. */
export function entriesOf(store: HostStore, session: string): readonly AuditEntry[] {
  return ofSession(store, session, "entry").flatMap(({ leaf, body }) => {
    const record = readRecord(untrusted(leaf), untrusted(body));
    return record?.kind === "entry" ? [record.body] : [];
  });
}

/** The entries of calls alone. */
export function callEntriesOf(store: HostStore, session: string): readonly AuditEntry[] {
  return entriesOf(store, session).filter(({ entry_type: type }) => type === "tool_call");
}

/** The intents of a session that a host holds, in order. */
export function intentsOf(store: HostStore, session: string): readonly Intent[] {
  return ofSession(store, session, "intent").flatMap(({ leaf, body }) => {
    const record = readRecord(untrusted(leaf), untrusted(body));
    return record?.kind === "intent" ? [record.body] : [];
  });
}
