import { createHash } from "node:crypto";
import type { ProvisionFacts } from "@cmcp/audit";
import { CmcpError } from "@cmcp/boundary";
import { sealStoredSet, type Provision, type StatementMessage, type StorageKey } from "@cmcp/provision";
import type { Journal } from "./journal.ts";
import { provisionDetail, type ProvisionInForce, type StatementFacts } from "./provision-detail.ts";
import type { Recorder } from "./recorder.ts";
import type { Sessions } from "./sessions.ts";
import { openNewestSet, provisionHash, type StoredSetPorts } from "./stored-sets.ts";

/** What recording provisionings needs. */
export interface ProvisionPorts extends StoredSetPorts {
  readonly journal: Pick<Journal, "appendCosigned" | "assertWritable"> & StoredSetPorts["journal"];
  readonly instance: string;
  /** Sequence of the last provisioning of the log. */
  readonly sequence: number;
  /** Highest sequence of a statement of the log; 0 before the first. */
  readonly statementSequence: number;
  /** The commitment to a token, from its SHA-256 in hex. */
  readonly commit: (sha256: string) => string;
  readonly sessions: Pick<Sessions, "openSessions">;
  readonly recorder: Pick<Recorder, "noteInAll">;
}

/** The steps for a set: `check` throws before anything is recorded, `bind` runs as it is, `apply` once the record counts. */
export interface ProvisionSteps {
  readonly check: (set: Provision) => void;
  /** From here on each token names its principal, whether or not the message comes into force. */
  readonly bind: (set: Provision) => void;
  readonly apply: (set: Provision) => void;
}

/** The set of a message. */
interface GivenSet {
  readonly set: Provision;
  /** The key to store it under. */
  readonly key: StorageKey["storage_key"] | undefined;
  /** The provisioning that gave it, where the log had it; else `null`. */
  readonly from: string | null;
}

/** Records each provisioning, in the journal and in every open session. */
export class Provisions {
  readonly #parts: ProvisionPorts;
  #sequence: number;
  #statementSequence: number;
  #inForce: ProvisionInForce | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: ProvisionPorts) {
    this.#parts = parts;
    this.#sequence = parts.sequence;
    this.#statementSequence = parts.statementSequence;
  }

  /** The latest provisioning; `null` before the first. */
  get inForce(): ProvisionInForce | null {
    return this.#inForce;
  }

  /**
   * Takes a message. Messages are taken one at a time. Each counts once its record is stored and, with witnesses, cosigned. A set with a
   * storage key goes into its record under that key, whether the message has it or the log had it.
   * @param statement the signed statement that it came in; `null` for the host's own message
   * @throws CmcpError of `check`, `PROVISION_STATEMENT_REPLAYED`, `AUDIT_STORE_UNAVAILABLE`, `WITNESS_UNAVAILABLE`, and those of
   *   {@link openNewestSet}; the provisioning in force stays
   */
  async take(
    message: StatementMessage,
    steps: ProvisionSteps,
    statement: StatementFacts | null = null,
  ): Promise<ProvisionInForce> {
    const run = this.#last.then(() => this.#take(message, steps, statement));
    this.#last = run.catch(() => undefined);
    return await run;
  }

  async #take(
    message: StatementMessage,
    { check, bind, apply }: ProvisionSteps,
    statement: StatementFacts | null,
  ): Promise<ProvisionInForce> {
    const { journal, instance, origin, sessions, recorder } = this.#parts;
    if (statement !== null && statement.sequence <= this.#statementSequence)
      throw new CmcpError(
        "PROVISION_STATEMENT_REPLAYED",
        "a statement with the same or a higher sequence is in the log; use a higher one",
      );
    const { set, key, from } = await this.#setOf(message);
    check(set);
    journal.assertWritable();
    // The numbers are used up even if the host is late, because the record will still be stored.
    this.#sequence += 1;
    this.#statementSequence = statement?.sequence ?? this.#statementSequence;
    bind(set);
    const version = this.#sequence;
    const stored = key === undefined ? {} : { stored: sealStoredSet(key, { origin, version }, set) };
    const restored = from === null ? {} : { restored_from: from };
    const facts = { ...provisionFacts(set, version, this.#parts.commit, statement), ...stored, ...restored };
    await journal.appendCosigned(instance, { kind: "provision", body: facts });
    const hash = provisionHash(facts);
    apply(set);
    const hasCredentials = facts.credentials.length > 0;
    const isStored = key !== undefined;
    const inForce = { sequence: version, hash, statement, hasCredentials, isStored, restoredFrom: from };
    this.#inForce = inForce;
    const detail = provisionDetail(inForce);
    await recorder.noteInAll(sessions.openSessions(), { entry_type: "provision", detail }).stored;
    return inForce;
  }

  async #setOf(message: StatementMessage): Promise<GivenSet> {
    if (!("tokens" in message)) return { ...(await openNewestSet(this.#parts, message)), key: message.storage_key };
    const { storage_key: key, ...set } = message;
    return { set, key, from: null };
  }
}

/** The facts of a message, sorted so that they have one form. */
export function provisionFacts(
  { tokens, tokenless, credentials = [] }: Provision,
  sequence: number,
  commit: (sha256: string) => string,
  statement: StatementFacts | null = null,
): ProvisionFacts {
  const byPrincipal = new Map<string, string[]>();
  for (const { principal, sha256 } of tokens)
    byPrincipal.set(principal, [...(byPrincipal.get(principal) ?? []), commit(sha256)]);
  return {
    sequence,
    ...(tokenless === true ? { tokenless } : {}),
    principals: [...byPrincipal]
      .map(([principal, committed]) => ({ principal, tokens: committed.toSorted() }))
      .toSorted((a, b) => (a.principal < b.principal ? -1 : 1)),
    credentials: credentials.map(({ name }) => name).toSorted(),
    ...(statement === null ? {} : { statement }),
  };
}

/**
 * A commitment to a token in one log, in hex: SHA-256 over the origin, a newline, and the 32 bytes of the token's own
 * SHA-256. It identifies the token in the record and cannot be used as one.
 */
export function tokenCommitment(origin: string, sha256: string): string {
  return createHash("sha256").update(`${origin}\n`).update(Buffer.from(sha256, "hex")).digest("hex");
}
