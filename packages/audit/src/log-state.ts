import { endedCallKey } from "./call-key.ts";
import { isUntrusted, labelAfterReset, sessionLabelsOf } from "./entry-label.ts";
import type { AuditEntry } from "./entry.ts";
import type { HandOver } from "./hand-over.ts";
import type { Intent, JournalStatement, ProvisionFacts } from "./journal.ts";
import { killSwitchEvent } from "./kill-switch.ts";
import { OpenCalls, type OpenCall } from "./open-calls.ts";
import { policyKeyStatementOf, type SignedPolicyKey } from "./policy-key.ts";
import type { Snapshot, SnapshotRow } from "./snapshot.ts";
import { UsedKeys } from "./used-keys.ts";

/** Most sealed identities that are kept, latest first. */
const MAX_SEALED = 8;

/** What records say that a principal has seen. */
export interface PrincipalLabel {
  /** Every label that entries name for it. */
  readonly labels: ReadonlySet<string>;
  readonly untrusted: boolean;
  /** When an entry last named it, in milliseconds since the epoch by a clock the host sets. */
  readonly time: number;
}

/** Since when the past is unknown, and what was vouched for since. */
export interface UnknownPast {
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Principals that an operator reset since. */
  readonly reset: ReadonlySet<string>;
  /** Principals that an operator unblocked since. */
  readonly unblocked: ReadonlySet<string>;
}

/**
 * What the records of a log amount to: all that a start needs of the past. The instance that writes the log applies each
 * record that it writes; the next one begins with a snapshot of this and applies the records behind it. Both have the
 * same state.
 */
export class LogState {
  readonly #principals = new Map<string, { labels: Set<string>; untrusted: boolean; time: number }>();
  readonly #calls = new OpenCalls();
  readonly #tokens = new Map<string, string>();
  readonly #blocked = new Set<string>();
  /** Idempotency keys of calls. */
  readonly keys = new UsedKeys();
  #policyKeys: SignedPolicyKey[] = [];
  #unknown: { since: number; reset: Set<string>; unblocked: Set<string> } | null = null;
  #sealed: string[] = [];
  #provision = 0;
  #statement = 0;
  #storedSet: number | null = null;
  #timeFloor = 0;
  /** The latest hand-over; `null` before the first. */
  handOver: HandOver | null = null;
  /** From this record on, leaves of the log are those of instances that were believed. */
  believedFrom = 0;

  get principals(): ReadonlyMap<string, PrincipalLabel> {
    return this.#principals;
  }

  /** Calls that may have been sent and have no entry, by session in the order of their intents. */
  get openCalls(): readonly OpenCall[] {
    return this.#calls.list();
  }

  /** The principal of each token that was ever provisioned, by the token's commitment. */
  get tokens(): ReadonlyMap<string, string> {
    return this.#tokens;
  }

  /** The principals that the kill switch stopped. */
  get blocked(): ReadonlySet<string> {
    return this.#blocked;
  }

  /** Changes of policy signing keys, in order. */
  get policyKeys(): readonly SignedPolicyKey[] {
    return this.#policyKeys;
  }

  /** `null` if the past is known. */
  get unknown(): UnknownPast | null {
    return this.#unknown;
  }

  /** Sealed identities of instances, latest first, base64url. */
  get sealedIdentities(): readonly string[] {
    return this.#sealed;
  }

  /** Sequence of the last provisioning; 0 before the first. */
  get provision(): number {
    return this.#provision;
  }

  /** Highest sequence of a provisioning statement; 0 before the first. */
  get provisionStatement(): number {
    return this.#statement;
  }

  /** Where the last provisioning is, if it has a stored set; `null` if it has none, or the past is not known since. */
  get storedSet(): number | null {
    return this.#storedSet;
  }

  /** Latest time that a record names, in milliseconds since the epoch. */
  get timeFloor(): number {
    return this.#timeFloor;
  }

  /**
   * Applies the next record of the log.
   * @param instance the writing instance's thumbprint
   * @param index the record's place in the log
   */
  apply({ kind, body }: JournalStatement, instance: string, index: number): void {
    switch (kind) {
      case "hand-over":
        return this.#begin(body, index);
      case "intent":
        return this.#intend(body, instance, index);
      case "entry":
        return this.#enter(body, instance, index);
      case "provision":
        return this.#provided(body, index);
      case "claim":
      case "snapshot-part":
      case "snapshot":
      case "session-key":
      case "disclosure":
      case "erasure":
        return;
    }
  }

  /** The past cannot be relied on: whatever any principal may have seen, or was stopped for, is unknown. */
  forgetPast(since: number): void {
    this.#unknown = { since, reset: new Set(), unblocked: new Set() };
  }

  /** Drops principals that no entry has named since a time, in milliseconds since the epoch. */
  dropPrincipals(before: number): void {
    for (const [principal, { time }] of this.#principals) if (time < before) this.#principals.delete(principal);
    if (this.#unknown !== null && this.#unknown.reset.size > 0 && this.#unknown.since < before)
      this.#unknown.reset.clear();
  }

  /** Every fact but those that {@link summary} has. */
  *rows(): Generator<SnapshotRow> {
    for (const [principal, { labels, untrusted, time }] of this.#principals)
      yield { row: "principal", principal, labels: [...labels], untrusted, time };
    yield* this.#calls.rows();
    for (const [commitment, principal] of this.#tokens) yield { row: "token", commitment, principal };
    for (const principal of this.#blocked) yield { row: "blocked", principal };
    for (const signed of this.#policyKeys) yield { row: "policy-key", signed };
    for (const principal of this.#unknown?.reset ?? []) yield { row: "reset", principal };
    for (const principal of this.#unknown?.unblocked ?? []) yield { row: "unblocked", principal };
    yield* this.keys.rows();
  }

  /** Number of {@link rows}. */
  get size(): number {
    const vouched = (this.#unknown?.reset.size ?? 0) + (this.#unknown?.unblocked.size ?? 0);
    const named = this.#principals.size + this.#tokens.size + this.#blocked.size + this.#policyKeys.length;
    return named + this.#calls.size + vouched + this.keys.size;
  }

  /** What a snapshot's own record says of this state. @throws TypeError before the first hand-over */
  summary(): Omit<Snapshot, "at" | "range" | "parts"> {
    if (this.handOver === null) throw new TypeError("a log begins with a hand-over");
    return {
      hand_over: { ...this.handOver },
      believed_from: this.believedFrom,
      provision: this.#provision,
      ...(this.#statement === 0 ? {} : { statement_sequence: this.#statement }),
      ...(this.#storedSet === null ? {} : { stored_set: this.#storedSet }),
      unknown_since: this.#unknown?.since ?? null,
      time_floor: this.#timeFloor,
      sealed_identities: [...this.#sealed],
    };
  }

  /** Takes what {@link summary} gave, before any row. */
  restoreSummary(snapshot: Snapshot, handOver: HandOver): void {
    this.handOver = handOver;
    this.believedFrom = snapshot.believed_from;
    this.#provision = snapshot.provision;
    this.#statement = snapshot.statement_sequence ?? 0;
    this.#storedSet = snapshot.stored_set ?? null;
    this.#timeFloor = snapshot.time_floor;
    this.#sealed = [...snapshot.sealed_identities];
    if (snapshot.unknown_since !== null) this.forgetPast(snapshot.unknown_since);
  }

  /** Takes a row that {@link rows} gave. @returns false for an intent that has not its form */
  restoreRow(row: SnapshotRow): boolean {
    switch (row.row) {
      case "principal":
        this.#principals.set(row.principal, { labels: new Set(row.labels), untrusted: row.untrusted, time: row.time });
        return true;
      case "call":
        return this.#calls.restore(row);
      case "token":
        this.#tokens.set(row.commitment, row.principal);
        return true;
      case "blocked":
        this.#blocked.add(row.principal);
        return true;
      case "policy-key":
        this.#policyKeys.push(row.signed);
        return true;
      case "reset":
        this.#unknown?.reset.add(row.principal);
        return true;
      case "unblocked":
        this.#unknown?.unblocked.add(row.principal);
        return true;
      case "keys":
      case "forgotten-keys":
        this.keys.restore(row);
        return true;
    }
  }

  #begin(handOver: HandOver, index: number): void {
    this.handOver = handOver;
    const time = Date.parse(handOver.boot_time);
    this.#sawTime(time);
    if (handOver.history.state === "incomplete") {
      this.forgetPast(time);
      this.keys.forget(index);
      // A later provisioning may be among the records that are missing.
      this.#storedSet = null;
      this.believedFrom = handOver.predecessor?.size ?? 0;
    }
    const { sealed_identity: sealed } = handOver;
    if (sealed !== undefined)
      this.#sealed = [sealed, ...this.#sealed.filter((known) => known !== sealed)].slice(0, MAX_SEALED);
  }

  #intend(intent: Intent, instance: string, index: number): void {
    const { principal, idempotency_key: key, idempotency_request: request } = intent;
    this.#calls.open(intent, instance);
    if (key !== undefined && request !== undefined) this.keys.note({ principal, key, request }, index, false);
  }

  #enter(entry: AuditEntry, instance: string, index: number): void {
    const time = Date.parse(entry.timestamp_utc);
    this.#sawTime(time);
    this.#calls.close(entry);
    const principal = entry.detail?.["principal"];
    if (typeof principal === "string" && entry.session_sensitivity_after !== null)
      if (entry.entry_type === "session_reset") this.#reset(principal, entry, time);
      else this.#raise(principal, sessionLabelsOf(entry), isUntrusted(entry), time);
    this.#killSwitch(entry);
    const key = endedCallKey(entry);
    if (key !== null) this.keys.note(key, index, true);
    const signed = policyKeyStatementOf(entry, instance);
    if (signed !== null && !this.#policyKeys.some(({ signature }) => signature === signed.signature))
      this.#policyKeys.push(signed);
  }

  #raise(principal: string, labels: readonly string[], untrusted: boolean, time: number): void {
    const known = this.#principals.get(principal);
    if (known === undefined) {
      this.#principals.set(principal, { labels: new Set(labels), untrusted, time });
      return;
    }
    for (const label of labels) known.labels.add(label);
    known.untrusted ||= untrusted;
    known.time = Math.max(known.time, time);
  }

  /** An operator's reset: what the entry names is what the principal has seen. */
  #reset(principal: string, entry: AuditEntry, time: number): void {
    this.#principals.delete(principal);
    const { labels, untrusted } = labelAfterReset(entry);
    this.#raise(principal, labels, untrusted, time);
    this.#unknown?.reset.add(principal);
  }

  #killSwitch(entry: AuditEntry): void {
    const event = killSwitchEvent(entry);
    if (event === null) return;
    if (event.kind !== "unblocked") {
      this.#blocked.add(event.principal);
      this.#unknown?.unblocked.delete(event.principal);
      return;
    }
    this.#blocked.delete(event.principal);
    this.#unknown?.unblocked.add(event.principal);
  }

  #provided({ sequence, principals, statement, stored }: ProvisionFacts, index: number): void {
    this.#provision = sequence;
    this.#storedSet = stored === undefined ? null : index;
    this.#statement = Math.max(this.#statement, statement?.sequence ?? 0);
    for (const { principal, tokens } of principals) for (const token of tokens) this.#tokens.set(token, principal);
  }

  #sawTime(time: number): void {
    if (time > this.#timeFloor) this.#timeFloor = time;
  }
}
