import {
  receiptOf,
  type AuditEntry,
  type EntryFields,
  type Intent,
  type Receipt,
  type ReceiptBody,
  type EncodedEntry,
} from "@cmcp/audit";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import { approvedOf, nameOf, type Drift, type Target } from "@cmcp/catalog";
import type { Journal } from "./journal.ts";
import type { RecordedSession } from "./recorded-session.ts";
import { rootDetail, type RootFacts } from "./root-detail.ts";

/** An entry that is in the chain, and the host's acknowledgement to wait for: with it comes the entry's receipt, if it is to have one. */
export interface PendingEntry {
  readonly entry: AuditEntry;
  readonly stored: Promise<Receipt | null>;
}

/** What a recorder needs of the instance it writes for. */
export interface RecorderOptions {
  readonly instance: string;
  readonly driftPolicy: string;
  /** What a root entry says, as of now. */
  readonly root: () => RootFacts;
  /** Told of a session whose chain holds an entry that no store will ever get. */
  readonly onBroken: (recorded: RecordedSession) => void;
}

/**
 * Where an operator reset has taken the sensitivity below what the session had before, an entry also says
 * the highest ever: labels alone, without their ranks, would not tell a reader which is higher.
 */
function withHighest({ session }: RecordedSession, fields: EntryFields): EntryFields {
  if (fields.session_sensitivity_after === undefined || session.highestSensitivity === fields.session_sensitivity_after)
    return fields;
  return { ...fields, detail: { ...fields.detail, session_max_sensitivity: session.highestSensitivity } };
}

/** Writes the record: entries into the chains of sessions, intents and decisions, each handed to the host's store. */
export class Recorder {
  readonly #journal: Pick<Journal, "append" | "assertCaughtUp">;
  readonly #options: RecorderOptions;

  constructor(journal: Pick<Journal, "append" | "assertCaughtUp">, options: RecorderOptions) {
    this.#journal = journal;
    this.#options = options;
  }

  /** Appends one entry to a session's chain and hands it to the host's store. */
  record(recorded: RecordedSession, fields: EntryFields): PendingEntry {
    return this.#store(recorded, recorded.chain.write(withHighest(recorded, fields)), null);
  }

  /** As {@link record}, for an entry about the gateway itself: nothing was decided, nothing inspected. */
  note(recorded: RecordedSession, fields: EntryFields): PendingEntry {
    return this.record(recorded, { policy_decision: "n/a", response_inspection_result: "n/a", ...fields });
  }

  /**
   * Notes something in every session that has begun and not ended. One without room for it cannot take a call either.
   * @returns the sessions without room
   */
  noteInAll(
    sessions: Iterable<RecordedSession>,
    fields: EntryFields,
  ): { readonly stored: Promise<unknown>; readonly full: readonly RecordedSession[] } {
    const begun = [...sessions].filter(({ lifecycle }) => lifecycle.takesEntries);
    const stored = begun
      .filter(({ chain }) => chain.room > 0)
      .map((recorded) => this.note(recorded, { ...fields }).stored);
    // An entry the host is slow to take is retried by the journal; the chain has it already.
    return { stored: Promise.allSettled(stored), full: begun.filter(({ chain }) => chain.room === 0) };
  }

  /** As {@link record}, for a decision: waits for the acknowledgement and gives the receipt. @throws CmcpError `INTERNAL` where there is none */
  async decision(recorded: RecordedSession, fields: EntryFields): Promise<Receipt> {
    const written = recorded.chain.write(withHighest(recorded, fields));
    const receipt = await this.#store(recorded, written, receiptOf(written.entry, this.#options.instance, "plain"))
      .stored;
    if (receipt === null) throw new CmcpError("INTERNAL", "a decision was stored without its receipt");
    return receipt;
  }

  /** Records once in a session that something it asked for has drifted. */
  async drift(recorded: RecordedSession, target: Target, drift: Drift): Promise<void> {
    const key = `${target.kind} ${nameOf(target)}`;
    if (recorded.drifted.has(key)) return;
    recorded.drifted.add(key);
    const { server, driftDigest } = approvedOf(target);
    await this.note(recorded, {
      entry_type: "catalog_drift",
      tool_name: nameOf(target),
      server_identity: server.identity,
      detail: { drift, approved_digest: driftDigest, drift_policy: this.#options.driftPolicy },
    }).stored;
  }

  /** Puts a call's intent in the host's store and waits for it: nothing leaves before that. */
  async intent(recorded: RecordedSession, intent: Omit<Intent, "session_id" | "tip_before">): Promise<void> {
    const { session, chain } = recorded;
    await this.#journal.append(session.id, {
      kind: "intent",
      body: { ...intent, session_id: session.id, tip_before: chain.tip },
    });
  }

  /** Writes the session's root entry. @throws CmcpError `SESSION_CLOSED` for a session that has one or takes none */
  writeRoot(recorded: RecordedSession): void {
    recorded.lifecycle.step("start");
    recorded.rootStored = this.note(recorded, {
      entry_type: "session_start",
      session_sensitivity_after: recorded.session.sensitivity,
      detail: { ...rootDetail(this.#options.root(), recorded.session.principalId), ...recorded.openedBy },
    }).stored;
  }

  /** Makes sure the session's root entry exists and is stored. @throws CmcpError `AUDIT_STORE_UNAVAILABLE` until it is, `SESSION_CLOSED` for one that was discarded */
  async ensureStarted(recorded: RecordedSession): Promise<void> {
    if (recorded.rootStored === null) this.writeRoot(recorded);
    try {
      await recorded.rootStored;
    } catch (thrown) {
      // The host was late with it. The journal offers it until the host has it, and then the session is like any other.
      if (asCmcpError(thrown, "INTERNAL", "the session could not be started").code !== "AUDIT_STORE_UNAVAILABLE")
        throw thrown;
      this.#journal.assertCaughtUp();
    }
  }

  #store(recorded: RecordedSession, { entry, written }: EncodedEntry, receipt: ReceiptBody | null): PendingEntry {
    const stored = this.#journal.append(
      entry.session_id,
      { kind: "entry", body: { entry: written, receipt: receipt?.channel ?? null } },
      receipt,
    );
    stored.catch((thrown: unknown) => {
      const { code } = asCmcpError(thrown, "INTERNAL", "an entry could not be stored");
      // What is late arrives. Anything else leaves a chain that the store never holds.
      if (code !== "AUDIT_STORE_UNAVAILABLE") this.#options.onBroken(recorded);
    });
    const before = recorded.stored;
    // Resolves to nothing: a promise of all outcomes would hold those of every entry before it.
    recorded.stored = stored.then(
      () => before,
      () => before,
    );
    return { entry, stored };
  }
}
