import {
  receiptOfRecord,
  readRecord,
  recover,
  type AuditEntry,
  type JournalRecord,
  type Receipt,
  type SigningJwk,
} from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import { CmcpError, type Untrusted } from "@cmcp/boundary";
import type { Caller } from "../access/caller.ts";
import { isChain, type OwnJournal } from "./read-entries.ts";
import { latestClaim, type StoredClaim } from "./read-closed.ts";
import { isSessionId } from "./session-id.ts";

/** Most sessions of one principal, and most principals, whose answers are remembered. */
const MAX_REMEMBERED_SESSIONS = 256;
const MAX_PRINCIPALS = 4_096;

/** The part of an earlier instance's session that verifies under that instance's key. */
export interface EarlierSession {
  readonly signingKey: SigningJwk;
  readonly entries: readonly AuditEntry[];
  readonly receipts: readonly Receipt[];
  /** The claim of the closed session; `null` if the session was interrupted. */
  readonly closed: StoredClaim | null;
}

type EntryRecord = Extract<JournalRecord, { kind: "entry" }>;

/** Reads sessions of earlier instances from the host's store and verifies them. */
export class EarlierSessions {
  readonly #own: OwnJournal;
  /** The answers given so far, by principal and session. The host cannot show one state first and another later. */
  readonly #remembered = new Map<string, Map<string, string>>();

  constructor(own: OwnJournal) {
    this.#own = own;
  }

  /**
   * A session of the caller from an earlier instance, or `null`. Only verified records are returned.
   * @throws CmcpError `AUDIT_STORE_MISMATCH` if the records contradict each other, or an earlier answer
   */
  async read({ principalId }: Caller, sessionId: string): Promise<EarlierSession | null> {
    if (!isSessionId(sessionId)) return null;
    const instance = await this.#writerOf(sessionId);
    if (instance === null || instance === this.#own.instance) return this.#absent(principalId, sessionId);
    const { journal } = this.#own;
    const records: Untrusted<Uint8Array>[] = [];
    for await (const bytes of journal.scan({ instance, kind: "instance" })) records.push(bytes);
    for await (const bytes of journal.scan({ instance, session: sessionId, kind: "entry" })) records.push(bytes);
    const recovered = recover(records, jwkThumbprintText);
    const session = recovered?.sessions.get(sessionId);
    if (recovered === null || session === undefined) return this.#absent(principalId, sessionId);
    // The same bytes that were verified, so that the host cannot replace them.
    const verified = records
      .map((bytes) => entryRecord(bytes))
      .filter((record) => record !== null)
      .filter(({ body: { entry } }) => entry.session_id === sessionId && entry.sequence_number < session.length)
      .sort((a, b) => a.body.entry.sequence_number - b.body.entry.sequence_number);
    const entries = verified.map(({ body }) => body.entry);
    if (!isChain(entries, session) || entries[0]?.detail?.["principal"] !== principalId) return null;
    if (recovered.refused > 0)
      throw contradiction("a record of the session does not verify, or does not continue its chain");
    const stored = await latestClaim(journal, recovered, sessionId);
    if (stored !== null) requireSameChain(entries, stored);
    // A claim over the open session is not the claim of the closed one.
    const closed = stored?.claim.gateway.audit_chain.tip === session.tip && session.closed ? stored : null;
    this.#remember(principalId, sessionId, `${session.tip} ${closed === null ? "interrupted" : "closed"}`);
    return {
      signingKey: recovered.jwk,
      entries,
      receipts: verified.flatMap((record) => receiptOfRecord(record) ?? []),
      closed,
    };
  }

  /** The instance that wrote the session, as the host says. */
  async #writerOf(sessionId: string): Promise<string | null> {
    for await (const bytes of this.#own.journal.scan({ session: sessionId, kind: "entry" })) {
      const record = readRecord(bytes);
      if (record !== null) return record.instance;
    }
    return null;
  }

  #absent(principalId: string, sessionId: string): null {
    if (this.#remembered.get(principalId)?.has(sessionId) === true)
      throw contradiction("it showed the session before and does not show it");
    return null;
  }

  #remember(principalId: string, sessionId: string, answer: string): void {
    const own = this.#remembered.get(principalId) ?? new Map<string, string>();
    if ((own.get(sessionId) ?? answer) !== answer) throw contradiction("it showed another state of the session before");
    bound(own.set(sessionId, answer), MAX_REMEMBERED_SESSIONS);
    bound(this.#remembered.set(principalId, own), MAX_PRINCIPALS);
  }
}

/** Forgets the oldest beyond `max`. */
function bound(shown: Map<string, unknown>, max: number): void {
  const oldest = shown.keys().next();
  if (shown.size > max && oldest.done !== true) shown.delete(oldest.value);
}

/** Checks that a signed claim names a point of the stored chain. Otherwise the store lacks a part of the chain. */
function requireSameChain(entries: readonly AuditEntry[], { claim }: StoredClaim): void {
  const { root, tip, length } = claim.gateway.audit_chain;
  if (entries[0]?.entry_hash !== root || entries[length - 1]?.entry_hash !== tip)
    throw contradiction("a claim of the session names another chain than its entries form");
}

function contradiction(why: string): CmcpError {
  return new CmcpError("AUDIT_STORE_MISMATCH", `the host's audit store contradicts itself: ${why}`);
}

function entryRecord(bytes: Untrusted<Uint8Array>): EntryRecord | null {
  const record = readRecord(bytes);
  return record?.kind === "entry" ? record : null;
}
