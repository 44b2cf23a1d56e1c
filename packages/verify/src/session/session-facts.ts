import type { AuditEntry } from "@cmcp/audit/schema";
import { CallSummaryBuilder, type CallFacts } from "@cmcp/claim/schema";
import { PolicyHistoryFold, type PolicyHistory } from "../bundle/policy-history.ts";
import { advisoryDenialsIn } from "./advisory.ts";

/** What checks need of a session's entries, kept as they are read: it does not grow with their number. */
export interface SessionFacts {
  /** Number of entries. */
  readonly length: number;
  readonly root: AuditEntry | undefined;
  readonly last: AuditEntry | undefined;
  /** The entry of a number, if it was asked for. */
  at(number: number): AuditEntry | undefined;
  readonly policies: PolicyHistory;
  /** Refusals by policy that the mode let through. */
  readonly advisoryDenials: number;
  /** Whether an entry says that a tool had drifted. */
  readonly drifted: boolean;
  /** What a claim says of the entries; `null` if it was not asked for. */
  readonly calls: CallFacts | null;
}

/** What to keep of entries beside what every check needs. */
export interface WantedFacts {
  /** Numbers of entries that are looked at again. */
  readonly numbers: ReadonlySet<number>;
  /** Whether there is a claim to hold to the entries. */
  readonly calls: boolean;
}

/** Only what every check needs. */
export const NOTHING_MORE: WantedFacts = { numbers: new Set(), calls: false };

/** Bytes of distinct transcript rows: more than any claim has room for. */
const MAX_DISTINCT_BYTES = 64 * 1024 * 1024;

/** Folds entries, in order, into what checks need of them. */
export class SessionFactsFold {
  readonly #wanted: WantedFacts;
  readonly #kept = new Map<number, AuditEntry>();
  readonly #policies = new PolicyHistoryFold();
  readonly #calls: CallSummaryBuilder | null;
  #length = 0;
  #root: AuditEntry | undefined;
  #last: AuditEntry | undefined;
  #advisoryDenials = 0;
  #drifted = false;

  constructor(wanted: WantedFacts) {
    this.#wanted = wanted;
    this.#calls = wanted.calls ? new CallSummaryBuilder() : null;
  }

  add(entry: AuditEntry): void {
    this.#root ??= entry;
    this.#last = entry;
    if (this.#wanted.numbers.has(this.#length)) this.#kept.set(this.#length, entry);
    this.#length += 1;
    this.#policies.add(entry);
    this.#advisoryDenials += advisoryDenialsIn(entry);
    this.#drifted ||= entry.entry_type === "catalog_drift";
    // No claim has room for the rest, so that the transcripts differ either way.
    if (this.#calls !== null && this.#calls.distinctBytes <= MAX_DISTINCT_BYTES) this.#calls.add(entry);
  }

  finish(): SessionFacts {
    const kept = this.#kept;
    return {
      length: this.#length,
      root: this.#root,
      last: this.#last,
      at: (number) => kept.get(number),
      policies: this.#policies.finish(),
      advisoryDenials: this.#advisoryDenials,
      drifted: this.#drifted,
      calls: this.#calls?.finish() ?? null,
    };
  }
}

/** The facts of entries that are at hand. */
export function factsOf(entries: Iterable<AuditEntry>, wanted = NOTHING_MORE): SessionFacts {
  const fold = new SessionFactsFold(wanted);
  for (const entry of entries) fold.add(entry);
  return fold.finish();
}
