import type { ApprovalAnswer, ApprovalRequest } from "@cmcp/approval";
import { CmcpError } from "@cmcp/boundary";
import type { HeldResult } from "./ending.ts";
import type { RecordedSession } from "../record/recorded-session.ts";

/** Most approvals that wait for calls of one principal, and of all. */
export const MAX_OF_PRINCIPAL = 64;
export const MAX_PENDING = 1_024;
/** Most results that are held for one principal, and for all: each is as large as an answer may be. */
export const MAX_HELD_OF_PRINCIPAL = 8;
const MAX_HELD = 32;
/** Most characters of all requests that wait. */
const MAX_LENGTH = 64 * 1024 * 1024;

/** A call that waits for approvals, or that was approved or denied and not repeated since. */
export interface PendingApproval {
  /** Which calls it is for: see `approve.ts`. */
  readonly key: string;
  readonly request: ApprovalRequest;
  /** The signed request in its canonical form. */
  readonly signed: string;
  /** Digest of the request. */
  readonly hash: string;
  readonly recorded: RecordedSession;
  /** The result that waits, where it is the subject. */
  readonly held?: HeldResult;
  /** Monotonic milliseconds. */
  readonly until: number;
}

interface Stored extends PendingApproval {
  readonly answers: Map<string, ApprovalAnswer>;
  /** Approvers whose answer is on its way into the record. */
  readonly recording: Set<string>;
}

/** How an approval stands. */
export type Standing =
  | { readonly state: "waiting"; readonly approvals: number }
  | { readonly state: "approved"; readonly approvers: readonly string[] }
  | { readonly state: "denied"; readonly reason: string | null };

/** Approvals of this instance. They are in memory alone: a restart voids them. */
export class PendingApprovals {
  readonly #now: () => number;
  readonly #byId = new Map<string, Stored>();
  readonly #byKey = new Map<string, Stored>();
  #length = 0;

  /** @param now monotonic milliseconds: the host does not set this clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether nothing waits, and so no call needs to be compared. */
  get isEmpty(): boolean {
    return this.#byId.size === 0;
  }

  /** The approval of a call. */
  ofKey(key: string): PendingApproval | undefined {
    return this.#live(this.#byKey.get(key));
  }

  /** The approval of an id. */
  ofId(id: string): PendingApproval | undefined {
    return this.#live(this.#byId.get(id));
  }

  /** What an approver may answer and has not. */
  waitingFor(approver: string): readonly PendingApproval[] {
    this.#expire();
    return [...this.#byId.values()].filter(
      (stored) =>
        stored.request.approvers.includes(approver) &&
        !stored.answers.has(approver) &&
        standingOf(stored).state === "waiting",
    );
  }

  /** Adds an approval that waits. @throws CmcpError `OVERLOADED` */
  add(pending: PendingApproval): void {
    this.#expire();
    const { principal } = pending.request;
    const all = [...this.#byId.values()];
    const own = all.filter(({ request }) => request.principal === principal);
    const isFull = own.length >= MAX_OF_PRINCIPAL || all.length >= MAX_PENDING;
    const isHeldFull = pending.held !== undefined && (heldIn(own) >= MAX_HELD_OF_PRINCIPAL || heldIn(all) >= MAX_HELD);
    if (isFull || isHeldFull || this.#length + pending.signed.length > MAX_LENGTH)
      throw new CmcpError("OVERLOADED", "too many calls wait for approvals");
    const stored: Stored = { ...pending, answers: new Map(), recording: new Set() };
    this.#byId.set(pending.request.approval_id, stored);
    this.#byKey.set(pending.key, stored);
    this.#length += pending.signed.length;
  }

  /** How an approval stands; `null` for one that is gone. */
  standing({ request }: PendingApproval): Standing | null {
    const stored = this.#live(this.#byId.get(request.approval_id));
    return stored === undefined ? null : standingOf(stored);
  }

  /**
   * Takes the place of an approver's answer, before it is recorded.
   * @throws CmcpError `APPROVAL_UNKNOWN`, `APPROVAL_ANSWERED`
   */
  begin({ request }: PendingApproval, approver: string): void {
    const stored = this.#live(this.#byId.get(request.approval_id));
    if (stored === undefined) throw new CmcpError("APPROVAL_UNKNOWN", "there is no such approval any more");
    if (stored.answers.has(approver) || stored.recording.has(approver))
      throw new CmcpError("APPROVAL_ANSWERED", "this approver has answered already");
    if (standingOf(stored).state !== "waiting")
      throw new CmcpError("APPROVAL_UNKNOWN", "the approval waits for nobody any more");
    stored.recording.add(approver);
  }

  /** Counts an answer that is in the record. @returns how the approval then stands; `null` where it is gone */
  settle({ request }: PendingApproval, answer: ApprovalAnswer): Standing | null {
    const stored = this.#live(this.#byId.get(request.approval_id));
    if (stored === undefined) return null;
    stored.recording.delete(answer.approver);
    stored.answers.set(answer.approver, answer);
    return standingOf(stored);
  }

  /** Gives the place of an answer back that could not be recorded. */
  abandon({ request }: PendingApproval, approver: string): void {
    this.#byId.get(request.approval_id)?.recording.delete(approver);
  }

  /** Uses an approval up. @returns whether it was there */
  use({ request }: PendingApproval): boolean {
    const stored = this.#live(this.#byId.get(request.approval_id));
    if (stored === undefined || standingOf(stored).state !== "approved") return false;
    this.#drop(stored);
    return true;
  }

  /** Drops the approvals of a session that is over. @param session its id in memory */
  forget(session: string): void {
    for (const stored of this.#byId.values()) if (stored.recorded.session.id === session) this.#drop(stored);
  }

  #live(stored: Stored | undefined): Stored | undefined {
    if (stored === undefined || stored.until > this.#now()) return stored;
    this.#drop(stored);
    return undefined;
  }

  #expire(): void {
    for (const stored of this.#byId.values()) this.#live(stored);
  }

  #drop(stored: Stored): void {
    this.#byId.delete(stored.request.approval_id);
    this.#byKey.delete(stored.key);
    this.#length -= stored.signed.length;
  }
}

function heldIn(stored: readonly PendingApproval[]): number {
  return stored.filter(({ held }) => held !== undefined).length;
}

/** One approver's denial is enough. */
function standingOf({ request, answers }: Stored): Standing {
  const given = [...answers.values()];
  const denial = given.find(({ decision }) => decision === "deny");
  if (denial !== undefined) return { state: "denied", reason: denial.reason ?? null };
  const approvers = given.map(({ approver }) => approver);
  return approvers.length >= request.needed
    ? { state: "approved", approvers }
    : { state: "waiting", approvals: approvers.length };
}
