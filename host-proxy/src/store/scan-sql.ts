/** Which records a scan returns; an absent field matches all. */
export interface RecordFilter {
  readonly instance?: string;
  readonly session?: string;
  readonly kind?: string;
}

/** A scan's statement, and what is bound after its two bounds. */
export interface ScanSql {
  /**
   * `position` and `body` of the records up to the first bound and after the second, in the order of their positions.
   */
  readonly sql: string;
  readonly values: readonly string[];
}

/**
 * The statement for a filter. There is one per combination of fields: `column = ? OR ? IS NULL` would keep SQLite from
 * its indexes.
 */
export function scanSql({ session, kind }: Pick<RecordFilter, "session" | "kind">): ScanSql {
  const conditions = ["position <= ?", "position > ?"];
  if (session !== undefined) conditions.push("session = ?");
  if (kind !== undefined) conditions.push("kind = ?");
  // An index that holds some kinds only is used where SQLite is told that no other is asked for.
  if (kind !== undefined && kind !== "intent" && session !== undefined) conditions.push("kind <> 'intent'");
  else if (kind !== undefined && kind !== "intent" && kind !== "entry")
    conditions.push("kind NOT IN ('intent', 'entry')");
  return {
    sql: `SELECT position, body FROM records WHERE ${conditions.join(" AND ")} ORDER BY position`,
    values: [session, kind].filter((value) => value !== undefined),
  };
}
