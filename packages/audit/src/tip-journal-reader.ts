import { hash } from "node:crypto";
import type { Untrusted } from "@cmcp/boundary";
import { entryHashInput, type AuditEntry } from "./entry.ts";
import { decodeRecord, readRecord, type Intent, type JournalRecord, type SigningJwk } from "./journal.ts";
import { identityOf, MAX_RECOVERED_SESSIONS, type InstanceIdentity, type RecoveredInstance } from "./recover.ts";
import { acceptEntry, recoveredSessions, initialState, type SessionState } from "./session-state.ts";
import { isAuthentic } from "./sign-together.ts";

/** Most recorded calls of one journal to remember; a longer journal is read record by record. */
const MAX_CALLS = 1_000_000;

const ORDERED: ReadonlySet<AuditEntry["entry_type"]> = new Set(["session_reset", "break_glass_used"]);

/** A record's bytes as the host showed them, and its number in the instance's journal. */
interface NumberedRecord {
  readonly bytes: Untrusted<Uint8Array>;
  readonly at: number;
}

/**
 * Reads an earlier instance's journal with fewer signature checks than {@link JournalReader}, and proves as much.
 *
 * Each entry names the hash of the entry before it, so the signature of a session's last entry proves all its entries.
 * Every
 * record of another kind is verified by its own signature. A signature covers the record's number, and the record must
 * have
 * that number in the journal. As entries come before the last entry of their session, this shows that no record is
 * missing.
 *
 * At the first record that does not fit, the reader establishes nothing. The journal must then be read with
 * {@link JournalReader}.
 */
export class TipJournalReader {
  readonly #thumbprint: (jwk: SigningJwk) => string;
  readonly #sessions = new Map<string, SessionState>();
  /** The record with each session's last entry. */
  readonly #tips = new Map<string, NumberedRecord>();
  /** Calls that have no entry yet, by session and call. */
  readonly #open = new Map<string, Intent>();
  /** Calls that have an entry, in the same form. */
  readonly #recorded = new Set<string>();
  readonly #maxCalls: number;
  #identity: InstanceIdentity | undefined;
  #lastClaimSequence = 0;
  #at = 0;
  #fits = true;

  /** @param thumbprint RFC 7638 thumbprint of a JWK, base64url. */
  constructor(thumbprint: (jwk: SigningJwk) => string, maxCalls = MAX_CALLS) {
    this.#thumbprint = thumbprint;
    this.#maxCalls = maxCalls;
  }

  add(bytes: Untrusted<Uint8Array>): void {
    if (!this.#fits) return;
    const record = readRecord(bytes);
    this.#fits = record !== null && this.#accept(record, { bytes, at: this.#at });
    this.#at += 1;
  }

  /** What the journal proves; `null` if it must be read record by record. */
  finish(): RecoveredInstance | null {
    const identity = this.#identity;
    if (!this.#fits || identity === undefined) return null;
    if (![...this.#tips.values()].every((placed) => isProven(decodeRecord(placed.bytes), placed, identity)))
      return null;
    if (![...this.#open.values()].every((intent) => this.#stillOpen(intent))) return null;
    const { facts, instance } = identity;
    const sessions = recoveredSessions(this.#sessions);
    return {
      jwk: facts.jwk,
      instance,
      facts,
      sessions,
      resetPrincipals: new Set(),
      killSwitch: new Map(),
      policyKeys: [],
      lastClaimSequence: this.#lastClaimSequence,
      refused: 0,
      gapless: true,
      records: this.#at,
      lastTime: [...sessions.values()].reduce(
        (latest, { lastTime }) => (Date.parse(lastTime) > Date.parse(latest) ? lastTime : latest),
        facts.boot_time,
      ),
    };
  }

  #accept(record: JournalRecord, placed: NumberedRecord): boolean {
    if (this.#identity === undefined) {
      this.#identity = identityOf(record, this.#thumbprint) ?? undefined;
      return this.#identity !== undefined;
    }
    if (record.kind === "entry") return this.#entry(placed, record.body.entry);
    if (!isProven(record, placed, this.#identity)) return false;
    if (record.kind === "intent") return this.#intent(record.body);
    return record.kind === "provision" || (record.kind === "claim" && this.#claim(record));
  }

  #intent(intent: Intent): boolean {
    const call = `${intent.session_id} ${intent.call_id}`;
    if (this.#recorded.has(call) || this.#open.has(call)) return false;
    this.#open.set(call, intent);
    return true;
  }

  #entry(placed: NumberedRecord, entry: AuditEntry): boolean {
    // What a reset or the kill switch does depends on the order of all records, which only each record's own signature proves.
    if (ORDERED.has(entry.entry_type) || hash("sha256", entryHashInput(entry)) !== entry.entry_hash) return false;
    const state = this.#sessions.get(entry.session_id) ?? this.#begun(entry);
    if (state === null || !acceptEntry(state, entry)) return false;
    this.#tips.set(entry.session_id, placed);
    if (entry.call_id === null) return true;
    const call = `${entry.session_id} ${entry.call_id}`;
    this.#open.delete(call);
    this.#recorded.add(call);
    return this.#recorded.size <= this.#maxCalls;
  }

  #begun(entry: AuditEntry): SessionState | null {
    const state = this.#sessions.size < MAX_RECOVERED_SESSIONS ? initialState(entry) : null;
    if (state !== null) this.#sessions.set(entry.session_id, state);
    return state;
  }

  #claim({ body }: Extract<JournalRecord, { kind: "claim" }>): boolean {
    this.#lastClaimSequence = Math.max(this.#lastClaimSequence, body.sequence_number);
    const state = this.#sessions.get(body.session_id);
    if (state !== undefined) state.claimHash = body.claim_hash;
    return state !== undefined;
  }

  #stillOpen(intent: Intent): boolean {
    const state = this.#sessions.get(intent.session_id);
    state?.intents.set(intent.call_id, intent);
    return state !== undefined;
  }
}

/** True if the record's own signature verifies and its number is its position. */
function isProven(record: JournalRecord, { at }: NumberedRecord, { instance, key }: InstanceIdentity): boolean {
  return record.instance === instance && record.seq === at && isAuthentic(record, key);
}
