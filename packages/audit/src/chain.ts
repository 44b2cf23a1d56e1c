import { randomUUID, hash } from "node:crypto";
import { CanonicalObject, CmcpError, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { MAX_BUNDLE_ENTRIES } from "./bundle.ts";
import { auditEntrySchema, type AuditEntry } from "./entry.ts";
import { CLOSED_SESSION, PREVIOUS_SESSION, successorOf } from "./successor.ts";

type ChainFields = "entry_id" | "sequence_number" | "timestamp_utc" | "session_id" | "prev_entry_hash" | "entry_hash";

/** What the caller says about an entry; what is left out is `null`, and `evidence_class` is `hash-only`. */
export type EntryFields = Pick<AuditEntry, "entry_type"> & Partial<Omit<AuditEntry, ChainFields | "entry_type">>;

/** An entry in its chain. */
export interface EncodedEntry {
  readonly entry: AuditEntry;
  /** The same as it is written, its hash included. */
  readonly written: CanonicalObject;
}

/**
 * One session's hash chain. It holds the root, the tip and the length, never the entries, so its size
 * does not grow with the session. The first entry is `session_start`, and nothing follows `session_end`.
 * A `session_reset` that names a successor closes the session: later entries are the successor's, in the same chain.
 */
export class SessionChain {
  readonly #ids: [string, ...string[]];
  readonly #now: () => number;
  #root: string | undefined;
  #tip = "genesis";
  #length = 0;
  #lastTime = 0;
  #closed = false;
  /** Whether the next entry is the first of a successor. */
  #followsReset = false;

  /** @param now milliseconds since the epoch; within one chain it never goes back, whatever the clock does. */
  constructor(sessionId: string, now: () => number = Date.now) {
    if (!z.uuid().safeParse(sessionId).success) throw new CmcpError("INTERNAL", "a chain's session has no UUID");
    this.#ids = [sessionId];
    this.#now = now;
  }

  /** The session whose entry is written next. */
  get sessionId(): string {
    return this.#ids.at(-1) ?? this.#ids[0];
  }

  /** Every session of the chain, in order: the first one, and a successor for each reset. */
  get sessionIds(): readonly [string, ...string[]] {
    return this.#ids;
  }

  /** Hash of the first entry, 64 hex digits. Throws `INTERNAL` before there is one. */
  get root(): string {
    if (this.#root === undefined) throw new CmcpError("INTERNAL", "the chain has no root entry yet");
    return this.#root;
  }

  /** Hash of the last entry, 64 hex digits; `genesis` before the first. */
  get tip(): string {
    return this.#tip;
  }

  /** Number of entries. */
  get length(): number {
    return this.#length;
  }

  /** True once `session_end` is in the chain. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many entries still fit before the `session_end` that must end the chain. */
  get room(): number {
    return this.#closed ? 0 : Math.max(0, MAX_BUNDLE_ENTRIES - 1 - this.#length);
  }

  /** {@link SessionChain.write}, where only the entry is wanted. */
  append(fields: EntryFields): AuditEntry {
    return this.write(fields).entry;
  }

  /**
   * Links one more entry. Throws `SESSION_CLOSED` when the chain is full, `INTERNAL` for an entry no verifier would
   * accept.
   */
  write(fields: EntryFields): EncodedEntry {
    if (this.#closed) throw new CmcpError("INTERNAL", "nothing follows session_end in a chain");
    if ((fields.entry_type === "session_start") !== (this.#length === 0)) {
      throw new CmcpError("INTERNAL", "session_start is the first entry of a chain and no other");
    }
    if (this.room === 0 && fields.entry_type !== "session_end") {
      throw new CmcpError("SESSION_CLOSED", `the session's record is full at ${MAX_BUNDLE_ENTRIES} entries`);
    }
    const time = Math.max(this.#now(), this.#lastTime);
    const before = fields.entry_type === "session_reset" ? PREVIOUS_SESSION : CLOSED_SESSION;
    const closed = this.#followsReset ? { [before]: this.#ids.at(-2) ?? "" } : null;
    // Its members stand in canonical order: it is written for every call, and so needs no sorting.
    const body: Omit<AuditEntry, "entry_hash"> = {
      call_id: fields.call_id ?? null,
      detail: fields.detail == null && closed === null ? null : { ...fields.detail, ...closed },
      effective_data_class: fields.effective_data_class ?? null,
      entry_id: randomUUID(),
      entry_type: fields.entry_type,
      evidence_class: fields.evidence_class ?? "hash-only",
      external_execution_evidence: fields.external_execution_evidence ?? null,
      latency_us: fields.latency_us ?? null,
      policy_decision: fields.policy_decision ?? null,
      policy_rule_matched: fields.policy_rule_matched ?? null,
      prev_entry_hash: this.#tip,
      request_payload_hash: fields.request_payload_hash ?? null,
      response_inspection_result: fields.response_inspection_result ?? null,
      response_payload_hash: fields.response_payload_hash ?? null,
      sequence_number: this.#length,
      server_identity: fields.server_identity ?? null,
      session_id: this.sessionId,
      session_sensitivity_after: fields.session_sensitivity_after ?? null,
      session_sensitivity_before: fields.session_sensitivity_before ?? null,
      timestamp_utc: new Date(time).toISOString(),
      tool_name: fields.tool_name ?? null,
      workflow_id: fields.workflow_id ?? null,
    };
    const unhashed = CanonicalObject.of(body);
    const entry: AuditEntry = { ...body, entry_hash: hash("sha256", unhashed.text) };
    const { error } = auditEntrySchema.safeParse(entry);
    if (error !== undefined)
      throw new CmcpError("INTERNAL", `an entry is not well formed: ${schemaProblem(error).text}`);
    this.#root ??= entry.entry_hash;
    this.#tip = entry.entry_hash;
    this.#length += 1;
    this.#lastTime = time;
    this.#closed = entry.entry_type === "session_end";
    const successor = successorOf(entry);
    this.#followsReset = successor !== null;
    if (successor !== null) this.#ids.push(successor);
    return { entry, written: unhashed.with("entry_hash", entry.entry_hash) };
  }
}
