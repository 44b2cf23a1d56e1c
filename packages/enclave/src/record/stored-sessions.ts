import { jwkThumbprintText } from "@cmcp/attestation";
import {
  bodyHash,
  successorOf,
  type AuditEntry,
  type HashedEntry,
  type ProvenHandOver,
  type Receipt,
  type SessionEnd,
  type SigningJwk,
} from "@cmcp/audit";
import type { ClaimPlace } from "@cmcp/appraise/evidence";
import { CmcpError, examine, isJsonObject } from "@cmcp/boundary";
import { claimSchema, type Claim } from "@cmcp/claim";
import type { ShownRecord } from "@cmcp/wire";
import type { Caller } from "../access/caller.ts";
import type { Journal } from "./journal.ts";
import { prove, type ProvingJournal } from "./proven-record.ts";
import { firstSession, readRoot, scanChain, type ChainPoint } from "./read-entries.ts";
import { isSessionId } from "./session-id.ts";

/** Most sessions of one principal, and most principals, whose answers are remembered. */
const MAX_REMEMBERED_SESSIONS = 256;
const MAX_PRINCIPALS = 4_096;

/** A claim from the store. `end` belongs to the claim of a closed session. */
export interface StoredClaim {
  readonly claim: Claim;
  readonly end: SessionEnd | null;
}

/** A session of which memory has nothing, as the log proves it. */
export interface StoredSession {
  /** `session_start`. */
  readonly root: AuditEntry;
  readonly point: ChainPoint;
  /** The claim of the closed session, under the key of the instance that closed it; `null` if a crash interrupted the session. */
  readonly closed: StoredClaim | null;
  /** Of an interrupted session: the receipt of its last decision, under a note of this instance. */
  readonly receipts: readonly Receipt[];
  /** Of an interrupted session: the hand-over of the instance that wrote it, under a note of this instance. */
  readonly handOver: ProvenHandOver | null;
}

/** What reading stored sessions needs. */
export interface StoredSessionPorts extends ProvingJournal {
  readonly journal: Pick<Journal, "scan" | "readPath" | "signedHead">;
  readonly instance: string;
  readonly jwk: SigningJwk;
}

/** Reads sessions from the host's store, of this instance and of earlier ones, and proves that they are in the log. */
export class StoredSessions {
  readonly #ports: StoredSessionPorts;
  /** The answers given so far, by principal and session. The host cannot show one state first and another later. */
  readonly #remembered = new Map<string, Map<string, string>>();

  constructor(ports: StoredSessionPorts) {
    this.#ports = ports;
  }

  /**
   * A session of the caller that is not in memory, or `null`.
   * @throws CmcpError `AUDIT_STORE_MISMATCH` if the host shows what is not in the log, or contradicts an earlier answer
   */
  async read({ principalId }: Caller, sessionId: string): Promise<StoredSession | null> {
    if (!isSessionId(sessionId)) return null;
    const session = (await this.#closed(sessionId)) ?? (await this.#interrupted(sessionId, principalId));
    if (session === null || session.root.detail?.["principal"] !== principalId)
      return this.#absent(principalId, sessionId);
    this.#remember(
      principalId,
      sessionId,
      `${session.point.tip} ${session.closed === null ? "interrupted" : "closed"}`,
    );
    return session;
  }

  /** A session with the claim of its end, which is under the last session of its chain. */
  async #closed(sessionId: string): Promise<StoredSession | null> {
    const stored = await this.#latestClaim(sessionId);
    // A host that hides the last claim can show an earlier one over the open session. Only the claim of a closed
    // session has what goes with its end.
    if (stored === null || stored.end === null) return null;
    const { root, tip, length } = stored.claim.gateway.audit_chain;
    const first = await firstSession(this.#ports, sessionId);
    const point = { first, session: sessionId, root, tip, length };
    return { root: await readRoot(this.#ports, first, root), point, closed: stored, receipts: [], handOver: null };
  }

  /**
   * Where the log has the claim of a closed session, which is its last, under a note of this instance; `null` for a claim of before the log
   * was believed.
   * @throws CmcpError `AUDIT_STORE_MISMATCH` if the host does not show it
   */
  async claimPlace(sessionId: string, claim: Claim): Promise<ClaimPlace | null> {
    const shown = await this.#latestShown(sessionId);
    const proven = shown === null ? null : await prove(this.#ports, shown);
    if (shown !== null && proven === null) return null;
    const { instance: own, jwk } = this.#ports;
    const record = proven?.record;
    if (
      shown === null ||
      proven === null ||
      record?.kind !== "claim" ||
      record.body.sequence_number !== claim.gateway.sequence_number ||
      record.instance !== jwkThumbprintText(claim.trace.cnf.jwk)
    )
      throw contradiction("it does not show the claim of a session that is closed");
    return {
      index: proven.index,
      path: [...proven.path],
      note: proven.note,
      seq: record.seq,
      body_hash: bodyHash(examine(shown.body)),
      claim_hash: record.body.claim_hash,
      ...(record.instance === own ? {} : { signing_key: jwk }),
    };
  }

  async #latestShown(sessionId: string): Promise<ShownRecord | null> {
    let latest: ShownRecord | null = null;
    for await (const shown of this.#ports.journal.scan({ session: sessionId, kind: "claim" })) latest = shown;
    return latest;
  }

  /** The last claim of a session that the host shows. */
  async #latestClaim(sessionId: string): Promise<StoredClaim | null> {
    const latest = await this.#latestShown(sessionId);
    const proven = latest === null ? null : await prove(this.#ports, latest);
    if (proven === null) return null;
    const { record } = proven;
    if (record.kind !== "claim" || record.body.session_id !== sessionId)
      throw contradiction("it shows another record as a claim of the session");
    const parsed = claimSchema.safeParse(record.body.claim);
    return parsed.success ? { claim: parsed.data, end: record.body.end ?? null } : null;
  }

  /**
   * The chain that an earlier instance left: its last entry is in the log, and each names the one before. Of another
   * principal's session nothing is read but the first entry. A session that a reset closed has the claim of its successor.
   */
  async #interrupted(sessionId: string, principalId: string): Promise<StoredSession | null> {
    const { journal, instance } = this.#ports;
    let last: ShownRecord | null = null;
    let decision: ShownRecord | null = null;
    let root: HashedEntry | null = null;
    let tip = "genesis";
    const first = await firstSession(this.#ports, sessionId);
    let session = first;
    for await (const { shown, entry } of scanChain(journal, first)) {
      if (entry["prev_entry_hash"] !== tip) throw contradiction("the entries of the session are not one chain");
      tip = entry.entry_hash;
      root ??= entry;
      if (!isOf(root, principalId)) return null;
      if (entry["entry_type"] === "tool_call") decision = shown;
      last = shown;
      const current = entry["session_id"];
      session = successorOf(entry as unknown as AuditEntry) ?? (typeof current === "string" ? current : session);
    }
    if (session !== sessionId && isSessionId(session)) {
      const closed = await this.#closed(session);
      if (closed !== null) return closed;
    }
    const end = last === null ? null : await prove(this.#ports, last);
    if (end === null || root === null || end.record.kind !== "entry" || end.record.instance === instance) return null;
    const point = { first, session, root: root.entry_hash, tip, length: end.record.body.sequence_number + 1 };
    const receipts = await this.#receiptOf(decision);
    const handOver = await this.#handOverOf(end.record.instance);
    // Each entry has the hash that the next one names, up to one that is in the log. So an instance of this log wrote them.
    return { root: root as unknown as AuditEntry, point, closed: null, receipts, handOver };
  }

  async #receiptOf(decision: ShownRecord | null): Promise<Receipt[]> {
    const proven = decision === null ? null : await prove(this.#ports, decision);
    if (proven === null || proven.record.receipt === null) return [];
    const { index, path, note } = proven;
    return [{ ...proven.record.receipt, log: { index, path: [...path], note } }];
  }

  /** How an instance of this log began: by it others know the key that the instance had. */
  async #handOverOf(instance: string): Promise<ProvenHandOver> {
    let shown: ShownRecord | null = null;
    for await (const first of this.#ports.journal.scan({ session: instance, kind: "hand-over" })) {
      shown = first;
      break;
    }
    const proven = shown === null ? null : await prove(this.#ports, shown);
    if (proven?.record.kind !== "hand-over" || jwkThumbprintText(proven.record.body.jwk) !== instance)
      throw contradiction("it does not show the hand-over of the instance that wrote the session");
    const { record, index, path, note } = proven;
    return { body: record.body, log: { index, path: [...path], note } };
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

/** Whether an entry is the root of a principal's session, by what it says of itself. */
function isOf({ detail }: HashedEntry, principalId: string): boolean {
  return isJsonObject(detail) && detail["principal"] === principalId;
}

/** Forgets the oldest beyond `max`. */
function bound(shown: Map<string, unknown>, max: number): void {
  const oldest = shown.keys().next();
  if (shown.size > max && oldest.done !== true) shown.delete(oldest.value);
}

function contradiction(why: string): CmcpError {
  return new CmcpError("AUDIT_STORE_MISMATCH", `the host's audit store contradicts itself: ${why}`);
}
