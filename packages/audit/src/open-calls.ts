import type { AuditEntry } from "./entry.ts";
import { intentSchema, type Intent } from "./journal.ts";
import type { SnapshotRow } from "./snapshot.ts";
import { successorOf } from "./successor.ts";

/** A call that may have been sent and has no entry. */
export interface OpenCall {
  /** The instance that was about to send it. */
  readonly instance: string;
  readonly intent: Intent;
  /** Its session: the intent's, or the successor that an operator's reset opened meanwhile. */
  readonly session: string;
  /** The end of its session's chain, and its length. */
  readonly tip: string;
  readonly length: number;
}

interface OpenSession {
  readonly calls: Map<string, { readonly instance: string; readonly intent: Intent }>;
  tip: string;
  length: number;
}

/** Calls that may have been sent and have no entry, as the records of a log tell of them. */
export class OpenCalls {
  /** By session, those with open calls only. */
  readonly #sessions = new Map<string, OpenSession>();

  /** By session, in the order of their intents. */
  list(): readonly OpenCall[] {
    return [...this.#sessions].flatMap(([session, { calls, tip, length }]) =>
      [...calls.values()].map(({ instance, intent }) => ({ instance, intent, session, tip, length })),
    );
  }

  /** Number of calls. */
  get size(): number {
    return this.#sessions.values().reduce((sum, session) => sum + session.calls.size, 0);
  }

  /** A row of a snapshot for each call. */
  *rows(): Generator<SnapshotRow> {
    for (const { instance, intent, session, tip, length } of this.list())
      yield {
        row: "call",
        instance,
        session_id: session,
        call_id: intent.call_id,
        intent: { ...intent },
        tip,
        length,
      };
  }

  /** Takes a row that {@link rows} gave. @returns false for an intent that has not its form */
  restore(row: Extract<SnapshotRow, { readonly row: "call" }>): boolean {
    const intent = intentSchema.safeParse(row.intent);
    if (intent.success) this.#add(row.session_id, { intent: intent.data, instance: row.instance }, row);
    return intent.success;
  }

  /** An intent opens its call. */
  open(intent: Intent, instance: string): void {
    const { session_id: session, tip_before: tip, length_before: length } = intent;
    this.#add(session, { intent, instance }, { tip, length });
  }

  /** An entry that names a call closes it; a later instance's names the session that the call was in. */
  close(entry: AuditEntry): void {
    const { call_id: callId, session_id: own, detail, entry_hash: tip, sequence_number: number } = entry;
    const interrupted = detail?.["recovered_session"];
    const session = this.#sessions.get(typeof interrupted === "string" ? interrupted : own);
    if (session === undefined) return;
    if (interrupted === undefined) {
      session.tip = tip;
      session.length = number + 1;
    }
    if (callId !== null) session.calls.delete(callId);
    const current = typeof interrupted === "string" ? interrupted : own;
    const successor = successorOf(entry);
    if (successor !== null || session.calls.size === 0) this.#sessions.delete(current);
    // Calls that run while an operator resets their session end in its successor.
    if (successor !== null && session.calls.size > 0) this.#sessions.set(successor, session);
  }

  #add(
    session: string,
    call: Pick<OpenCall, "instance" | "intent">,
    { tip, length }: Pick<OpenCall, "tip" | "length">,
  ): void {
    const known = this.#sessions.get(session);
    if (known === undefined)
      this.#sessions.set(session, { calls: new Map([[call.intent.call_id, call]]), tip, length });
    else known.calls.set(call.intent.call_id, call);
  }
}
