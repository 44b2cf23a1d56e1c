import { hash } from "node:crypto";
import type { ScanFilter } from "./log-store.ts";
import { segmentRecords, type Segment } from "./segment.ts";

/** The kinds that every call writes. Nobody asks for all of one or for the newest, and nearly every segment has one. */
const FREQUENT_KINDS: ReadonlySet<string> = new Set(["intent", "entry", "disclosure"]);

/** What an index says of a segment. */
export interface SegmentNames {
  /** Keys of its sessions and rare kinds. */
  readonly keys: readonly number[];
  /** Index of its last record of each rare kind. */
  readonly kinds: ReadonlyMap<string, number>;
}

/**
 * A session or kind in the index: 48 bits of its hash. Two names of one key cost a segment that is read in vain, as a
 * scan compares the names.
 */
export function nameKey(what: "session" | "kind", name: string): number {
  return Number.parseInt(hash("sha256", `${what}|${name}`).slice(0, 12), 16);
}

/** The keys that a segment must have for a scan to read it: none, one or two. */
export function filterKeys({ session, kind }: ScanFilter): readonly number[] {
  const keys = session === undefined ? [] : [nameKey("session", session)];
  return kind === undefined || FREQUENT_KINDS.has(kind) ? keys : [...keys, nameKey("kind", kind)];
}

/** The names of a segment's records. */
export function segmentNames(segment: Segment): SegmentNames {
  const sessions = new Set<string>();
  const kinds = new Map<string, number>();
  for (const { session, kind, index } of segmentRecords(segment)) {
    sessions.add(session);
    if (!FREQUENT_KINDS.has(kind)) kinds.set(kind, index);
  }
  const keys = [
    ...[...sessions].map((session) => nameKey("session", session)),
    ...[...kinds.keys()].map((kind) => nameKey("kind", kind)),
  ];
  return { keys: [...new Set(keys)], kinds };
}
