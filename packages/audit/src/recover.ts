import { hash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Untrusted } from "@cmcp/boundary";
import { entryHashInput, type AuditEntry } from "./entry.ts";
import { dataLabelsOf, isUntrusted, sessionLabelsOf } from "./entry-label.ts";
import { killSwitchEvent, killSwitchStatementOf, type SignedKillSwitch } from "./kill-switch.ts";
import {
  publicKeyOf,
  readRecord,
  type Intent,
  type InstanceFacts,
  type JournalRecord,
  type SigningJwk,
} from "./journal.ts";
import {
  acceptEntry,
  recoveredSessions,
  initialState,
  type RecoveredSession,
  type SessionState,
} from "./session-state.ts";
import { policyKeyStatementOf, type SignedPolicyKey } from "./policy-key.ts";
import { isAuthentic } from "./sign-together.ts";

/** Most sessions one instance's journal is read for; what lies beyond is reported, not believed. */
export const MAX_RECOVERED_SESSIONS = 100_000;

/** Most entries about policy signing keys that are read of one journal: of each change, its own and those in open sessions. */
const MAX_POLICY_KEYS = 100_000;

/** What an earlier instance's records establish. Everything here verified under that instance's key. */
export interface RecoveredInstance {
  readonly jwk: SigningJwk;
  readonly instance: string;
  readonly facts: InstanceFacts;
  readonly sessions: ReadonlyMap<string, RecoveredSession>;
  /** Principals an operator reset: what earlier instances recorded of their sensitivity no longer counts. */
  readonly resetPrincipals: ReadonlySet<string>;
  /** What the records say of the kill switch, by principal. */
  readonly killSwitch: ReadonlyMap<string, KillSwitchMark>;
  /** Changes of policy signing keys that entries record. Their signatures are not verified yet. */
  readonly policyKeys: readonly SignedPolicyKey[];
  /** Highest claim counter the instance used; 0 when it issued none. */
  readonly lastClaimSequence: number;
  /** Records that did not verify or did not fit, and are as if absent. */
  readonly refused: number;
  /**
   * True when the records are numbered without a gap from the first on, every one of them verified. An end that is
   * withheld leaves no gap.
   */
  readonly gapless: boolean;
  /** Time of the latest record that says one, ISO 8601, by a clock the host sets. */
  readonly lastTime: string;
  /** The number after the last one that verified. */
  readonly records: number;
}

/** The last trip and the last unblock of one principal in one journal. */
export interface KillSwitchMark {
  /** Number of the record of the last trip; `null` if there is none. */
  readonly trippedAt: number | null;
  /** The last unblock and its record's number. The operator's signature is not verified yet. */
  readonly unblock: { readonly at: number; readonly signed: SignedKillSwitch } | null;
}

/** Who wrote a journal, as its first record says and proves. */
export interface InstanceIdentity {
  readonly facts: InstanceFacts;
  readonly instance: string;
  readonly key: KeyObject;
}

/** The identity that a journal's first record establishes; `null` for any other record. */
export function identityOf(record: JournalRecord, thumbprint: (jwk: SigningJwk) => string): InstanceIdentity | null {
  if (record.kind !== "instance" || record.seq !== 0 || thumbprint(record.body.jwk) !== record.instance) return null;
  const key = publicKeyOf(record.body.jwk);
  return isAuthentic(record, key) ? { facts: record.body, instance: record.instance, key } : null;
}

/**
 * Reads one earlier instance's journal, record by record, in the store's order. The host controls the store. A record
 * is
 * accepted only if it verifies under the instance's own key. A broken hash link ends the session's accepted entries.
 * Garbage
 * and a missing end do not affect the records before them.
 */
export class JournalReader {
  readonly #thumbprint: (jwk: SigningJwk) => string;
  readonly #maxSessions: number;
  readonly #sessions = new Map<string, SessionState>();
  #identity: InstanceIdentity | undefined;
  readonly #resetPrincipals = new Set<string>();
  readonly #killSwitch = new Map<string, KillSwitchMark>();
  readonly #policyKeys: SignedPolicyKey[] = [];
  #lastTime = "";
  #nextSeq = 0;
  #gapless = true;
  #refused = 0;
  #lastClaimSequence = 0;

  /**
   * @param thumbprint RFC 7638 thumbprint of a JWK, base64url.
   * @param maxSessions most sessions to read.
   */
  constructor(thumbprint: (jwk: SigningJwk) => string, maxSessions = MAX_RECOVERED_SESSIONS) {
    this.#thumbprint = thumbprint;
    this.#maxSessions = maxSessions;
  }

  add(bytes: Untrusted<Uint8Array>): void {
    const record = readRecord(bytes);
    if (record === null || !this.#accept(record)) this.#refuse();
  }

  /** What the journal proves; `null` if its first record does not verify. */
  finish(): RecoveredInstance | null {
    if (this.#identity === undefined) return null;
    const { facts, instance } = this.#identity;
    return {
      jwk: facts.jwk,
      instance,
      facts,
      sessions: recoveredSessions(this.#sessions),
      resetPrincipals: this.#resetPrincipals,
      killSwitch: this.#killSwitch,
      policyKeys: this.#policyKeys,
      lastClaimSequence: this.#lastClaimSequence,
      refused: this.#refused,
      gapless: this.#gapless,
      lastTime: this.#lastTime,
      records: this.#nextSeq,
    };
  }

  #refuse(): void {
    this.#refused += 1;
    this.#gapless = false;
  }

  #accept(record: JournalRecord): boolean {
    if (this.#identity === undefined) return this.#begin(record);
    if (record.instance !== this.#identity.instance || !isAuthentic(record, this.#identity.key)) return false;
    if (record.kind === "entry") {
      this.#count(record.body.entry);
      this.#trip(record.body.entry, record.seq);
      const signed = policyKeyStatementOf(record.body.entry, this.#identity.instance);
      if (signed !== null && this.#policyKeys.length < MAX_POLICY_KEYS) this.#policyKeys.push(signed);
    }
    if (record.seq < this.#nextSeq) return false;
    if (record.seq > this.#nextSeq) this.#gapless = false;
    this.#nextSeq = record.seq + 1;
    switch (record.kind) {
      case "instance":
        return false;
      case "intent":
        return this.#intent(record.body);
      case "entry":
        return this.#entry(record.body.entry) && this.#unblock(record.body.entry, record.seq);
      case "claim":
        return this.#claim(record.body);
      case "provision":
        return true;
    }
  }

  /** Counts the sensitivity of an authentic entry for its session, even if entries before it are missing. */
  #count(entry: AuditEntry): void {
    if (Date.parse(entry.timestamp_utc) > Date.parse(this.#lastTime)) this.#lastTime = entry.timestamp_utc;
    const state = this.#sessions.get(entry.session_id);
    if (state === undefined || entry.entry_type === "session_reset") return;
    for (const label of sessionLabelsOf(entry)) state.seen.add(label);
    state.untrusted ||= isUntrusted(entry);
  }

  /** Counts a trip in an authentic entry, even if entries before it are missing. */
  #trip(entry: AuditEntry, at: number): void {
    const event = killSwitchEvent(entry);
    if (event === null || event.kind === "unblocked") return;
    const known = this.#killSwitch.get(event.principal);
    this.#killSwitch.set(event.principal, {
      trippedAt: Math.max(at, known?.trippedAt ?? at),
      unblock: known?.unblock ?? null,
    });
  }

  /** Notes an unblock in an entry that fits its chain. */
  #unblock(entry: AuditEntry, at: number): boolean {
    const event = killSwitchEvent(entry);
    if (event?.kind !== "unblocked") return true;
    const signed = killSwitchStatementOf(entry, this.#identity?.instance);
    const trippedAt = this.#killSwitch.get(event.principal)?.trippedAt ?? null;
    if (signed !== null) this.#killSwitch.set(event.principal, { trippedAt, unblock: { at, signed } });
    return true;
  }

  #begin(record: JournalRecord): boolean {
    const identity = identityOf(record, this.#thumbprint);
    if (identity === null) return false;
    this.#identity = identity;
    this.#lastTime = identity.facts.boot_time;
    this.#nextSeq = 1;
    return true;
  }

  #intent(intent: Intent): boolean {
    const state = this.#sessions.get(intent.session_id);
    // Without the session's entries a recovery session has no tip to name.
    if (state === undefined || state.closed || state.intents.has(intent.call_id)) return false;
    state.intents.set(intent.call_id, intent);
    return true;
  }

  #entry(entry: AuditEntry): boolean {
    if (hash("sha256", entryHashInput(entry)) !== entry.entry_hash) return false;
    let state = this.#sessions.get(entry.session_id);
    if (state === undefined) {
      const begun = this.#sessions.size < this.#maxSessions ? initialState(entry) : null;
      if (begun === null) return false;
      state = begun;
      this.#sessions.set(entry.session_id, state);
    }
    if (!acceptEntry(state, entry)) {
      // The instance signed this entry: entries before it are lost, but its call was recorded.
      if (entry.call_id !== null) state.intents.delete(entry.call_id);
      return false;
    }
    // The domain is named where the call may have reached its server.
    if (entry.detail?.["compliance_domain"] !== undefined)
      for (const label of dataLabelsOf(entry)) state.own.add(label);
    if (entry.entry_type === "session_reset") this.#reset(state, entry);
    return true;
  }

  /**
   * A reset covers its session and the principal's closed sessions. It does not cover what other open sessions have
   * seen.
   */
  #reset(reset: SessionState, entry: AuditEntry): void {
    const { principal } = reset;
    if (principal === null) return;
    this.#resetPrincipals.add(principal);
    for (const state of this.#sessions.values()) {
      if (state.principal !== principal) continue;
      if (state === reset || state.closed) {
        state.own = new Set();
        state.untrusted = false;
      }
      state.sensitivity = entry.session_sensitivity_after;
      state.seen = new Set([...sessionLabelsOf(entry), ...state.own]);
    }
  }

  #claim(body: Extract<JournalRecord, { kind: "claim" }>["body"]): boolean {
    this.#lastClaimSequence = Math.max(this.#lastClaimSequence, body.sequence_number);
    const state = this.#sessions.get(body.session_id);
    if (state === undefined) return false;
    state.claimHash = body.claim_hash;
    return true;
  }
}

/** {@link JournalReader} over records already in memory. */
export function recover(
  records: Iterable<Untrusted<Uint8Array>>,
  thumbprint: (jwk: SigningJwk) => string,
): RecoveredInstance | null {
  const reader = new JournalReader(thumbprint);
  for (const record of records) reader.add(record);
  return reader.finish();
}
