import {
  AGENT_MANIFEST,
  decidedBy,
  sessionLabelDetail,
  type AuditEntry,
  type KeptPayloads,
  type EntryFields,
  type Intent,
  type Receipt,
  type Decided,
  type EncodedEntry,
} from "@cmcp/audit";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import { approvedOf, nameOf, type Drift, type Target } from "@cmcp/catalog";
import type { Journal } from "./journal.ts";
import type { RecordedSession } from "./recorded-session.ts";
import { rootDetail, type RootFacts } from "./root-detail.ts";

/** An entry in the chain. `stored` resolves with the host's acknowledgement, and with the receipt if there is one. */
export interface PendingEntry {
  readonly entry: AuditEntry;
  readonly stored: Promise<Receipt | null>;
}

/** What a recorder needs of its instance. */
export interface RecorderOptions {
  readonly instance: string;
  readonly driftPolicy: string;
  /** The facts for a root entry that is written now. */
  readonly root: () => RootFacts;
  /** Called for a session whose chain has an entry that cannot be stored. */
  readonly onBroken: (recorded: RecordedSession) => void;
  /** Called for a session that has become full. It takes no further calls. */
  readonly onFull: (recorded: RecordedSession) => void;
}

/**
 * An entry that names the session's sensitivity also names its principal, compartments and integrity. After an
 * operator's reset it names the highest sensitivity that the session ever had, because a reader of the entries knows
 * the labels but not their ranks.
 */
function withLabel({ session }: RecordedSession, fields: EntryFields): EntryFields {
  const { session_sensitivity_after: after, detail } = fields;
  if (after === undefined) return fields;
  const highest = session.highestSensitivity;
  return {
    ...fields,
    detail: {
      ...detail,
      principal: session.principalId,
      ...sessionLabelDetail(session),
      ...(highest === after ? {} : { session_max_sensitivity: highest }),
    },
  };
}

/** A decision names the agent manifest of its session, and so does its receipt. */
function withManifest({ manifest }: RecordedSession, fields: EntryFields): EntryFields {
  if (manifest === null) return fields;
  return { ...fields, detail: { ...fields.detail, [AGENT_MANIFEST]: manifest.facts.thumbprint } };
}

/** What a call says of its intent. The session says the rest. */
export type CallIntent = Omit<Intent, "session_id" | "principal" | "tip_before" | "length_before">;

/** Writes entries into the chains of sessions, and stores entries and intents with the host. */
export class Recorder {
  readonly #journal: Pick<Journal, "append" | "appendCosigned" | "assertCaughtUp">;
  readonly #options: RecorderOptions;

  constructor(journal: Pick<Journal, "append" | "appendCosigned" | "assertCaughtUp">, options: RecorderOptions) {
    this.#journal = journal;
    this.#options = options;
  }

  /** Appends an entry to a session's chain and stores it. */
  record(recorded: RecordedSession, fields: EntryFields): PendingEntry {
    return this.#store(recorded, recorded.chain.write(withLabel(recorded, fields)), null);
  }

  /** As {@link record}, for an entry without a decision and an inspection. */
  note(recorded: RecordedSession, fields: EntryFields): PendingEntry {
    return this.record(recorded, { policy_decision: "n/a", response_inspection_result: "n/a", ...fields });
  }

  /**
   * Adds an entry to every session that takes entries.
   * @returns `full`: the sessions without room for it, which have no room for a call either
   */
  noteInAll(
    sessions: Iterable<RecordedSession>,
    fields: EntryFields,
  ): { readonly stored: Promise<unknown>; readonly full: readonly RecordedSession[] } {
    const begun = [...sessions].filter(({ lifecycle }) => lifecycle.takesEntries);
    const stored = begun
      .filter(({ chain }) => chain.room > 0)
      .map((recorded) => this.note(recorded, { ...fields }).stored);
    // The journal retries an entry that the host is late with. The chain already has it.
    return { stored: Promise.allSettled(stored), full: begun.filter(({ chain }) => chain.room === 0) };
  }

  /**
   * As {@link record}, for a decision. Resolves with the receipt once the host has stored the entry.
   *
   * @param kept what auditors are to have of the call, which is stored before the entry; `null` for nothing
   */
  async decision(
    recorded: RecordedSession,
    fields: EntryFields,
    payloads: KeptPayloads | null = null,
  ): Promise<Receipt> {
    const written = recorded.chain.write(withManifest(recorded, withLabel(recorded, fields)));
    const decided = decidedBy(written.entry, recorded.session.channel);
    const keeping =
      payloads === null ? null : this.#journal.append(payloads.session_id, { kind: "disclosure", body: payloads });
    const storing = this.#store(recorded, written, decided).stored;
    const [receipt] = await Promise.all([storing, keeping]);
    if (receipt === null) throw new CmcpError("INTERNAL", "a decision was stored without its receipt");
    return receipt;
  }

  /** Records the drift of a target, once in a session. */
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

  /**
   * Stores a call's intent and waits for the acknowledgement, and for a quorum of witnesses if the log has any. Nothing
   * is sent before that: what the call was decided on is then the newest there is, in whichever instance.
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE`, `WITNESS_UNAVAILABLE`
   */
  async intent(recorded: RecordedSession, intent: CallIntent): Promise<void> {
    const { session, chain } = recorded;
    await this.#journal.appendCosigned(recorded.id, {
      kind: "intent",
      body: {
        ...intent,
        session_id: recorded.id,
        principal: session.principalId,
        tip_before: chain.tip,
        length_before: chain.length,
      },
    });
  }

  /**
   * Writes the session's root entry, and its key for auditors.
   * @throws CmcpError `SESSION_CLOSED` if the session has one already, or is closed
   */
  writeRoot(recorded: RecordedSession): void {
    recorded.lifecycle.step("start");
    const { session, openedBy } = recorded;
    const { stored } = this.note(recorded, {
      entry_type: "session_start",
      session_sensitivity_after: session.sensitivity,
      detail: { ...rootDetail(this.#options.root(), session), ...openedBy },
    });
    recorded.rootStored = Promise.all([stored, this.writeKey(recorded)]);
  }

  /** Stores the session's key for auditors, if there are any. */
  async writeKey({ commitments }: RecordedSession): Promise<void> {
    const key = commitments.sealedKey();
    if (key !== null) await this.#journal.append(key.session_id, { kind: "session-key", body: key });
  }

  /** Writes the root entry if there is none, and waits until it is stored. @throws CmcpError `AUDIT_STORE_UNAVAILABLE`, `SESSION_CLOSED` */
  async ensureStarted(recorded: RecordedSession): Promise<void> {
    if (recorded.rootStored === null) this.writeRoot(recorded);
    try {
      await recorded.rootStored;
    } catch (thrown) {
      // The host was late. The journal retries the entry, and once it is stored the session goes on.
      if (asCmcpError(thrown, "INTERNAL", "the session could not be started").code !== "AUDIT_STORE_UNAVAILABLE")
        throw thrown;
      this.#journal.assertCaughtUp();
    }
  }

  #store(recorded: RecordedSession, encoded: EncodedEntry, decided: Decided | null): PendingEntry {
    const { entry, written } = encoded;
    recorded.fold.add(encoded);
    const stored = this.#journal.append(entry.session_id, { kind: "entry", body: written, entry }, decided);
    if (recorded.isFull) this.#options.onFull(recorded);
    stored.catch((thrown: unknown) => {
      const { code } = asCmcpError(thrown, "INTERNAL", "an entry could not be stored");
      // A late entry will be stored. Any other error leaves a chain that the store will never hold.
      if (code === "AUDIT_STORE_UNAVAILABLE") return;
      recorded.hasLostEntry = true;
      this.#options.onBroken(recorded);
    });
    const before = recorded.stored;
    // Resolves to nothing. Otherwise each promise would keep the results of all earlier ones in memory.
    recorded.stored = stored.then(
      () => before,
      () => before,
    );
    return { entry, stored };
  }
}
