import type { JournalStatement } from "./journal.ts";
import type { LogState } from "./log-state.ts";
import { MAX_PART_ROWS, MAX_PART_TEXT, type SnapshotRow } from "./snapshot.ts";

/** A record of a snapshot, before it is numbered. */
export type SnapshotStatement = Extract<JournalStatement, { kind: "snapshot-part" | "snapshot" }>;

/**
 * The records of a snapshot, in order: its parts, and the record that completes it.
 *
 * @param at records of the log before the first of these
 * @param range hashes of the compact range of those, hex
 */
export function snapshotOf(state: LogState, at: number, range: readonly string[]): SnapshotStatement[] {
  const parts = [...inParts(state.rows())].map(
    (rows, part) => ({ kind: "snapshot-part", body: { part, rows } }) as const,
  );
  return [...parts, { kind: "snapshot", body: { ...state.summary(), at, range: [...range], parts: parts.length } }];
}

function* inParts(rows: Iterable<SnapshotRow>): Generator<SnapshotRow[]> {
  let part: SnapshotRow[] = [];
  let length = 0;
  for (const row of rows) {
    const added = JSON.stringify(row).length;
    if (part.length > 0 && (part.length >= MAX_PART_ROWS || length + added > MAX_PART_TEXT)) {
      yield part;
      part = [];
      length = 0;
    }
    part.push(row);
    length += added;
  }
  if (part.length > 0) yield part;
}
