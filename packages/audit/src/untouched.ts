import { CmcpError, parseJsonText, type Untrusted } from "@cmcp/boundary";
import * as z from "zod";
import { entryTextHash, entryTextOf, recordText } from "./entry-text.ts";
import { decodeRecord, RECORD_LIMITS, type Intent, type JournalRecord, type SigningJwk } from "./journal.ts";
import { identityOf, MAX_RECOVERED_SESSIONS, type InstanceIdentity, type RecoveredInstance } from "./recover.ts";
import { advance, recoveredSessions, stateFrom, type Link, type SessionState } from "./session-state.ts";
import { isAuthentic } from "./sign-together.ts";

/** Calls of one journal that are remembered to have an entry; a longer journal is read record by record. */
const MAX_CALLS = 1_000_000;

/** What such a text has where the entry is a session's first, or an operator's reset. */
const READ_IN_FULL = /"entry_type":"session_(?:start|reset)"/;

/** What is used of an entry that is neither a session's first nor its last. The rest is hashed as it stands. */
const linkSchema = z.object({
  session_id: z.string().max(64),
  sequence_number: z.int().nonnegative(),
  timestamp_utc: z.string().max(64),
  call_id: z.string().max(4096).nullable(),
  entry_type: z.string().max(64),
  session_sensitivity_after: z.string().max(4096).nullable(),
  prev_entry_hash: z.string().max(64),
  entry_hash: z.string().length(64),
});

/** What links an entry to its chain, or `null`. @throws CmcpError for text that is no strict JSON */
function linkOf(entry: string): Link | null {
  return linkSchema.safeParse(parseJsonText(entry, RECORD_LIMITS)).data ?? null;
}

/** A record as it was shown, and its place among the instance's. */
interface Placed {
  readonly bytes: Untrusted<Uint8Array>;
  readonly at: number;
}

/**
 * Reads an earlier instance's journal that the host left as it was, with fewer signatures: an entry names the hash of the one
 * before, so the signature of a session's last record proves all its entries. Every other record is verified by itself, and each that is verified stands at
 * the place of its number. That shows that none is missing before the last one: an entry has its true number before that of its session's
 * last, so that as many true records as there are numbers fill them all. Nothing less is proven than by
 * {@link JournalReader}; at the first thing that does not fit, nothing is established, and the journal has to be read with that one.
 */
export class UntouchedReader {
  readonly #thumbprint: (jwk: SigningJwk) => string;
  readonly #sessions = new Map<string, SessionState>();
  /** The record of each session's last entry. */
  readonly #tips = new Map<string, Placed>();
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
      if (![...this.#tips.values()].every((placed) => this.#proves(placed, identity) !== null)) return null;
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

  #accept(placed: Placed): boolean {
    if (this.#identity === undefined) {
      this.#identity = identityOf(decodeRecord(placed.bytes), this.#thumbprint) ?? undefined;
      return this.#identity !== undefined;
    }
    const text = recordText(placed.bytes);
    if (text === null) return false;
    const entry = entryTextOf(text);
    if (entry !== null) return this.#entry(placed, entry);
    const record = this.#proves(placed, this.#identity);
    if (record?.kind === "intent") return this.#intent(record.body);
    return record?.kind === "provision" || (record?.kind === "claim" && this.#claim(record));
  }

  #intent(intent: Intent): boolean {
    const call = `${intent.session_id} ${intent.call_id}`;
    if (this.#recorded.has(call) || this.#open.has(call)) return false;
    this.#open.set(call, intent);
    return true;
  }

  #entry(placed: Placed, written: string): boolean {
    const entry = READ_IN_FULL.test(written) ? this.#first(placed.bytes) : linkOf(written);
    if (entry === null || entryTextHash(written, entry.entry_hash) !== entry.entry_hash) return false;
    const state = this.#sessions.get(entry.session_id);
    if (state === undefined || !advance(state, entry)) return false;
    this.#tips.set(entry.session_id, placed);
    if (entry.call_id === null) return true;
    const call = `${entry.session_id} ${entry.call_id}`;
    this.#open.delete(call);
    this.#recorded.add(call);
    return this.#recorded.size <= this.#maxCalls;
  }

  /** Begins a session. What a reset lowers depends on the order of records, which only their own signatures prove. */
  #first(bytes: Untrusted<Uint8Array>): Link | null {
    const record = decodeRecord(bytes);
    if (
      record.kind !== "entry" ||
      this.#sessions.size >= MAX_RECOVERED_SESSIONS ||
      this.#sessions.has(record.body.entry.session_id)
    )
      return null;
    const { entry } = record.body;
    const state = stateFrom(entry);
    if (state === null) return null;
    this.#sessions.set(entry.session_id, state);
    return entry;
  }

  #claim({ body }: Extract<JournalRecord, { kind: "claim" }>): boolean {
    this.#lastClaimSequence = Math.max(this.#lastClaimSequence, body.sequence_number);
    const state = this.#sessions.get(body.session_id);
    if (state !== undefined) state.claimHash = body.claim_hash;
    return state !== undefined;
  }

  /** A record in full, once its own signature has verified, and with it its place. */
  #proves({ bytes, at }: Placed, { instance, key }: InstanceIdentity): JournalRecord | null {
    const record = decodeRecord(bytes);
    return record.instance === instance && record.seq === at && isAuthentic(record, key) ? record : null;
  }

  #stillOpen(intent: Intent): boolean {
    const state = this.#sessions.get(intent.session_id);
    state?.intents.set(intent.call_id, intent);
    return state !== undefined;
  }
}
