import { hash } from "node:crypto";
import { CmcpError, type Untrusted } from "@cmcp/boundary";
import { entryHashInput, type AuditEntry } from "./entry.ts";
import { decodeRecord, type Intent, type JournalRecord, type SigningJwk } from "./journal.ts";
import { identityOf, MAX_RECOVERED_SESSIONS, type InstanceIdentity, type RecoveredInstance } from "./recover.ts";
import { acceptEntry, recoveredSessions, initialState, type SessionState } from "./session-state.ts";
import { isAuthentic } from "./sign-together.ts";

/** Calls of one journal that are remembered to have an entry; a longer journal is read record by record. */
const MAX_CALLS = 1_000_000;

/** A record as it was shown, and its place among the instance's. */
interface NumberedRecord {
  readonly bytes: Untrusted<Uint8Array>;
  readonly at: number;
}

/**
 * Reads an earlier instance's journal that the host left as it was, with fewer signatures: an entry names the hash of
 * the one
 * before, so the signature of a session's last record proves all its entries. Every other record is verified by itself,
 * and each that is verified stands at
 * the place of its number. That shows that none is missing before the last one: an entry has its true number before
 * that of its session's
 * last, so that as many true records as there are numbers fill them all. Nothing less is proven than by
 * {@link JournalReader}; at the first thing that does not fit, nothing is established, and the journal has to be read
 * with that one.
 */
export class TipJournalReader {
  readonly #thumbprint: (jwk: SigningJwk) => string;
  readonly #sessions = new Map<string, SessionState>();
  /** The record of each session's last entry. */
  readonly #tips = new Map<string, NumberedRecord>();
  /** Calls that have no entry yet, by session and call. */
  readonly #open = new Map<string, Intent>();
  /** Calls that have one. */
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
    try {
      this.#fits = this.#accept({ bytes, at: this.#at });
      this.#at += 1;
    } catch (thrown) {
      if (!(thrown instanceof CmcpError)) throw thrown;
      this.#fits = false;
    }
  }

  /** What was established; `null` for a journal that has to be read record by record. */
  finish(): RecoveredInstance | null {
    const identity = this.#identity;
    if (!this.#fits || identity === undefined) return null;
    try {
      if (![...this.#tips.values()].every((placed) => isProven(decodeRecord(placed.bytes), placed, identity)))
        return null;
      if (![...this.#open.values()].every((intent) => this.#stillOpen(intent))) return null;
    } catch (thrown) {
      if (!(thrown instanceof CmcpError)) throw thrown;
      return null;
    }
    const { facts, instance } = identity;
    const sessions = recoveredSessions(this.#sessions);
    return {
      jwk: facts.jwk,
      instance,
      facts,
      sessions,
      resetPrincipals: new Set(),
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

  #accept(placed: NumberedRecord): boolean {
    const record = decodeRecord(placed.bytes);
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
    // What a reset lowers depends on the order of records, which only their own signatures prove.
    if (entry.entry_type === "session_reset" || hash("sha256", entryHashInput(entry)) !== entry.entry_hash)
      return false;
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

/** True when the record's own signature verifies, and with it its place. */
function isProven(record: JournalRecord, { at }: NumberedRecord, { instance, key }: InstanceIdentity): boolean {
  return record.instance === instance && record.seq === at && isAuthentic(record, key);
}
