import type { KeyObject } from "node:crypto";
import { jwkThumbprintText } from "@cmcp/attestation";
import { decodeRecord, isAuthentic, publicKeyOf, type JournalRecord } from "@cmcp/audit";
import { untrusted } from "@cmcp/boundary";

/** What an enclave could make of the past it was shown when it started. */
export interface ShownPast {
  /** Something it was shown is not authentic, or a number is missing below one that is there. */
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
  const numbers = new Set(authentic.map(({ seq }) => seq));
  const gapless = numbers.size === Math.max(-1, ...numbers) + 1;
  return { authentic, tampered: authentic.length !== records.length || !gapless };
}

/** Principals whose sessions were beyond what is public. */
function principalsOf(authentic: readonly JournalRecord[]): string[] {
  const owners = new Map<string, string>();
  const labelled = new Set<string>();
  for (const record of authentic) {
    if (record.kind === "entry") {
      const { entry } = record.body;
      const { session_id: session, session_sensitivity_after: label } = entry;
      if (entry.entry_type === "session_start") owners.set(session, String(entry.detail?.["principal"]));
      if (label !== null && label !== "public") labelled.add(session);
    }
    if (record.kind === "intent" && record.body.session_sensitivity !== "public") labelled.add(record.body.session_id);
  }
  return [...labelled].flatMap((session) => owners.get(session) ?? []);
}

/** Judges what scans were answered with: every `instance` record, then each instance's records. */
export function shownPast(
  instances: readonly Uint8Array[],
  byInstance: ReadonlyMap<string, readonly Uint8Array[]>,
): ShownPast {
  let tampered = instances.some((bytes) => readable(bytes) === null);
  const seen = new Set<string>();
  for (const [name, shown] of byInstance) {
    const judged = judge(name, shown);
    tampered ||= judged.tampered;
    for (const principal of principalsOf(judged.authentic)) seen.add(principal);
  }
  return { tampered, seen };
}
