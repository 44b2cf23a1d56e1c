import type { KeyObject } from "node:crypto";
import { jwkThumbprintText } from "@cmcp/attestation";
import { decodeRecord, isAuthentic, publicKeyOf, type JournalRecord } from "@cmcp/audit";
import { untrusted } from "@cmcp/boundary";

/** What an enclave could make of the past it was shown when it started. */
export interface ShownPast {
  /** Something it was shown is not authentic, or out of its order, a number is missing, or what an earlier instance saw is not shown. */
  readonly tampered: boolean;
  /** Principals of whom authentic records say that they may have seen more than what is public. */
  readonly seen: ReadonlySet<string>;
}

function readable(bytes: Uint8Array): JournalRecord | null {
  try {
    return decodeRecord(untrusted(bytes));
  } catch {
    return null;
  }
}

interface Judged {
  readonly authentic: readonly JournalRecord[];
  readonly tampered: boolean;
}

/** Which of an instance's records are its own. */
function judge(name: string, shown: readonly Uint8Array[]): Judged {
  const records = shown.map(readable);
  const first = records.find((record) => record?.kind === "instance" && record.seq === 0);
  const key: KeyObject | null =
    first?.kind === "instance" && jwkThumbprintText(first.body.jwk) === name ? publicKeyOf(first.body.jwk) : null;
  const authentic = records.filter(
    (record) => record !== null && record.instance === name && key !== null && isAuthentic(record, key),
  ) as JournalRecord[];
  // A journal's records are numbered from zero, and shown in that order.
  const inOrder = authentic.every(({ seq }, index) => seq === index);
  return { authentic, tampered: authentic.length !== records.length || !inOrder };
}

/** Principals whose sessions were beyond what is public. */
function principalsOf(authentic: readonly JournalRecord[]): string[] {
  const owners = new Map<string, string>();
  const labelled = new Set<string>();
  const ended = new Set(
    authentic.flatMap((record) => (record.kind === "entry" ? (record.body.entry.call_id ?? []) : [])),
  );
  for (const record of authentic) {
    if (record.kind === "entry") {
      const { entry } = record.body;
      const { session_id: session, session_sensitivity_after: label } = entry;
      if (entry.entry_type === "session_start") owners.set(session, String(entry.detail?.["principal"]));
      if (label !== null && label !== "public") labelled.add(session);
    }
    // What a call that ended made of its session is in its entry.
    if (record.kind === "intent" && record.body.session_sensitivity !== "public" && !ended.has(record.body.call_id))
      labelled.add(record.body.session_id);
  }
  return [...labelled].flatMap((session) => owners.get(session) ?? []);
}

/** Whether an instance saw more of the one before it than is shown: each names it, and how many records of it there were. */
function hides(judged: ReadonlyMap<string, Judged>): boolean {
  return [...judged.values()].some(({ authentic }) =>
    authentic.some((record) => {
      const previous = record.kind === "instance" ? record.body.previous : undefined;
      return previous !== undefined && (judged.get(previous.instance)?.authentic.length ?? -1) < previous.records;
    }),
  );
}

/** Judges what scans were answered with: every `instance` record, then each instance's records. */
export function shownPast(
  instances: readonly Uint8Array[],
  byInstance: ReadonlyMap<string, readonly Uint8Array[]>,
): ShownPast {
  const judged = new Map([...byInstance].map(([name, shown]) => [name, judge(name, shown)] as const));
  const seen = new Set([...judged.values()].flatMap(({ authentic }) => principalsOf(authentic)));
  const doctored = [...judged.values()].some(({ tampered }) => tampered);
  const unreadable = instances.some((bytes) => readable(bytes) === null);
  return { tampered: unreadable || doctored || hides(judged), seen };
}
