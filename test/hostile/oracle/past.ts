import { readRecord, type JournalRecord } from "@cmcp/audit";
import { untrusted } from "@cmcp/boundary";
import type { Opening } from "@cmcp/wire";
import type { KeptHead, KeptRecord } from "../host/kept.ts";

/** What an enclave could make of the past it was shown when it started. */
export interface ShownPast {
  /** It was shown something else than an enclave once left, or an earlier one was and said so. */
  readonly tampered: boolean;
  /** Principals that may have seen more than what is public, by what enclaves left. */
  readonly seen: ReadonlySet<string>;
}

/** One scan, and what it was answered with. */
export interface AnsweredScan {
  readonly filter: Extract<Opening, { t: "scan" }>;
  readonly records: readonly KeptRecord[];
}

/** What the host has received: every record, by index, and every head that it stored. */
export interface ReceivedLog {
  readonly received: readonly KeptRecord[];
  readonly heads: readonly KeptHead[];
}

/** Judges what a start was answered with: the head of the log, and its scans. */
export function shownPast(
  head: KeptHead | null,
  scans: readonly AnsweredScan[],
  { received, heads }: ReceivedLog,
): ShownPast {
  if (head === null) return { tampered: false, seen: new Set() };
  const left = received.slice(0, head.size);
  const records = left.flatMap(({ leaf, body }) => readRecord(untrusted(leaf), untrusted(body)) ?? []);
  const wasSaid = records.some((record) => record.kind === "hand-over" && record.body.history.state === "incomplete");
  const isHead = heads.some(({ size, note }) => size === head.size && note === head.note);
  return { tampered: wasSaid || !isHead || !isTail(scans.at(-1), left), seen: new Set(principalsOf(records)) };
}

/**
 * Whether a scan showed every record from the beginning of the log, or of a snapshot, to the end of the log, as it
 * was received. The look at what is said to be a snapshot may end there too, and is none.
 */
function isTail(scan: AnsweredScan | undefined, left: readonly KeptRecord[]): boolean {
  if (scan?.filter.to !== left.length) return false;
  const { filter, records } = scan;
  const from = filter.from ?? 0;
  const expected = left.slice(from);
  return (
    (from === 0 || expected.some((record) => beginsAt(record, from))) &&
    records.length === expected.length &&
    expected.every((record, place) => {
      const shown = records[place];
      return (
        shown?.index === record.index &&
        Buffer.compare(shown.leaf, record.leaf) === 0 &&
        Buffer.compare(shown.body, record.body) === 0
      );
    })
  );
}

function beginsAt({ leaf, body }: KeptRecord, from: number): boolean {
  const record = readRecord(untrusted(leaf), untrusted(body));
  return record?.kind === "snapshot" && record.body.at === from;
}

/** Principals whose sessions were beyond what is public. */
function principalsOf(records: readonly JournalRecord[]): string[] {
  const owners = new Map<string, string>();
  const labelled = new Set<string>();
  const ended = new Set(records.flatMap((record) => (record.kind === "entry" ? (record.body.call_id ?? []) : [])));
  for (const record of records) {
    if (record.kind === "entry") {
      const { session_id: session, session_sensitivity_after: label, entry_type: type, detail } = record.body;
      if (type === "session_start") owners.set(session, String(detail?.["principal"]));
      if (label !== null && label !== "public") labelled.add(session);
    }
    // What a call that ended made of its session is in its entry.
    if (record.kind === "intent" && record.body.session_sensitivity !== "public" && !ended.has(record.body.call_id))
      labelled.add(record.body.session_id);
  }
  return [...labelled].flatMap((session) => owners.get(session) ?? []);
}
