import type { AuditDecision, AuditEntry } from "@cmcp/audit/schema";
import { canonicalText } from "@cmcp/boundary";
import type { Claim } from "./claim.ts";

/** One call in a claim's transcript: no payload, no argument. */
export type TranscriptEntry = Claim["trace"]["tool_transcript"]["entries"][number];

/** What follows from a session's entries alone, and so must equal what its claim says. */
export interface CallFacts {
  readonly transcript: readonly TranscriptEntry[];
  readonly total: number;
  readonly allowed: number;
  readonly denied: number;
  readonly faulted: number;
  /** Names of the tools called, sorted by UTF-16 code unit, each once. */
  readonly toolsInvoked: readonly string[];
  readonly complianceDomains: readonly string[];
  /**
   * The highest sensitivity the session has had. It only rises, so its last entry that names one has it; after
   * an operator's reset, which lowers it, the entry's detail has it as `session_max_sensitivity`.
   */
  readonly maxSensitivity: string;
  /** What tripped the kill switch in the session; `null` if nothing did. */
  readonly killSwitchTrigger: "deny_rate" | "operator" | null;
}

/** Class of a call whose tool is in no catalog. */
const UNKNOWN_CLASS = "unknown";

/** What tripped the kill switch, by the `detail.reason` of the entry that says so. */
const TRIGGERS: ReadonlyMap<unknown, NonNullable<CallFacts["killSwitchTrigger"]>> = new Map([
  ["kill_switch_triggered", "deny_rate"],
  ["kill_switch_operator_trip", "operator"],
]);

/** A decision in the words a claim has for it: a call that waits for a human was not let through. */
export function claimDecision(decision: AuditDecision | null): TranscriptEntry["decision"] {
  if (decision === null) return "n/a";
  return decision === "step_up" || decision === "defer" ? "deny" : decision;
}

/**
 * A transcript in memory: each distinct row once, and four bytes for a call. Sessions call the same tools again and
 * again, so a transcript of tens of thousands of calls takes a few hundred kilobytes.
 */
class CompactTranscript {
  readonly #numbers = new Map<string, number>();
  readonly #rows: TranscriptEntry[] = [];
  readonly #rowBytes: number[] = [];
  #calls = new Uint32Array(0);
  #length = 0;
  writtenBytes = 0;
  distinctBytes = 0;

  add(row: TranscriptEntry): void {
    const text = canonicalText(row);
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#rows.push(row) - 1;
      this.#numbers.set(text, number);
      this.#rowBytes.push(encoder.encode(text).length);
      this.distinctBytes += this.#rowBytes[number] ?? 0;
    }
    if (this.#length === this.#calls.length) {
      const longer = new Uint32Array(Math.max(16, this.#length * 2));
      longer.set(this.#calls);
      this.#calls = longer;
    }
    this.#calls[this.#length] = number;
    this.#length += 1;
    // The comma too.
    this.writtenBytes += (this.#rowBytes[number] ?? 0) + 1;
  }

  /** Each distinct row, in the order of its first call. */
  get distinct(): readonly TranscriptEntry[] {
    return this.#rows;
  }

  /** Equal rows are the same object. */
  rows(): TranscriptEntry[] {
    const rows: TranscriptEntry[] = [];
    for (const number of this.#calls.subarray(0, this.#length)) {
      const row = this.#rows[number];
      if (row !== undefined) rows.push(row);
    }
    return rows;
  }
}

const encoder = new TextEncoder();

/** Folds a session's entries, in order, into what its claim says of them. Adding an entry takes the same time however many there were. */
export class CallSummaryBuilder {
  readonly #transcript = new CompactTranscript();
  readonly #domains = new Set<string>();
  #total = 0;
  #allowed = 0;
  #denied = 0;
  #faulted = 0;
  #maxSensitivity = "public";
  #killSwitchTrigger: CallFacts["killSwitchTrigger"] = null;

  add(entry: AuditEntry): void {
    const highest = entry.detail?.["session_max_sensitivity"];
    this.#maxSensitivity =
      typeof highest === "string" ? highest : (entry.session_sensitivity_after ?? this.#maxSensitivity);
    if (entry.entry_type === "break_glass_used")
      this.#killSwitchTrigger ??= TRIGGERS.get(entry.detail?.["reason"]) ?? null;
    if (entry.entry_type !== "tool_call") return;
    this.#total += 1;
    // A redacted call is in the total alone, and so are step_up and defer: existing verifiers count exactly these.
    if (entry.policy_decision === "allow") this.#allowed += 1;
    if (entry.policy_decision === "deny" || entry.policy_decision === "advisory_deny") this.#denied += 1;
    if (entry.policy_decision === "fault") this.#faulted += 1;
    const domain = entry.detail?.["compliance_domain"];
    if (typeof domain === "string") this.#domains.add(domain);
    if (entry.tool_name === null) return;
    this.#transcript.add({
      tool_name: entry.tool_name,
      data_class: entry.effective_data_class ?? UNKNOWN_CLASS,
      decision: claimDecision(entry.policy_decision),
    });
  }

  /** Bytes of the transcript as a claim has it. */
  get transcriptBytes(): number {
    return this.#transcript.writtenBytes;
  }

  /** Bytes of the transcript's distinct rows, which are in memory. */
  get distinctBytes(): number {
    return this.#transcript.distinctBytes;
  }

  /** The facts so far. Further entries do not change them. In `transcript`, equal rows are the same object. */
  finish(): CallFacts {
    return {
      transcript: this.#transcript.rows(),
      total: this.#total,
      allowed: this.#allowed,
      denied: this.#denied,
      faulted: this.#faulted,
      toolsInvoked: [...new Set(this.#transcript.distinct.map(({ tool_name: name }) => name))].sort(),
      complianceDomains: [...this.#domains].sort(),
      maxSensitivity: this.#maxSensitivity,
      killSwitchTrigger: this.#killSwitchTrigger,
    };
  }
}
