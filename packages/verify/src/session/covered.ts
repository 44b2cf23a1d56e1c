import type { AuditEntry } from "@cmcp/audit/schema";

declare const covered: unique symbol;

/**
 * Entries of one unbroken chain, from its first on, that a signature which verified commits to. Only what verified that
 * signature makes one; whatever a verdict says of a session is read from here.
 */
export type CoveredEntries = readonly AuditEntry[] & { readonly [covered]: true };

/** The first entries of a chain, up to the last that a verified signature commits to; `null` where there is none. */
export function coveredBy(entries: readonly AuditEntry[], length: number): CoveredEntries | null {
  return length === 0 ? null : (entries.slice(0, length) as unknown as CoveredEntries);
}

/** What the end of the covered entries says of the session: whole, or open. */
export function completenessOf(entries: CoveredEntries | null): "closed session" | "open prefix" | "unknown" {
  if (entries === null) return "unknown";
  return entries.at(-1)?.entry_type === "session_end" ? "closed session" : "open prefix";
}
