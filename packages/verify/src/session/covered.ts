import type { SessionFacts } from "./session-facts.ts";

declare const covered: unique symbol;

/**
 * The facts of entries of one unbroken chain, from its first on, that a signature which verified commits to. Only what verified that
 * signature makes one; whatever a verdict says of a session is read from here.
 */
export type CoveredSession = SessionFacts & { readonly [covered]: true };

/** The facts of entries that a verified signature commits to; `null` where there are none. */
export function coveredBy(facts: SessionFacts): CoveredSession | null {
  return facts.length === 0 ? null : (facts as CoveredSession);
}

/** What the end of the covered entries says of the session: whole, or open. */
export function completenessOf(session: CoveredSession | null): "closed session" | "open prefix" | "unknown" {
  if (session === null) return "unknown";
  return session.last?.entry_type === "session_end" ? "closed session" : "open prefix";
}
