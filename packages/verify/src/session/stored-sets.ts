import type { AuditEntry } from "@cmcp/audit/schema";

/** Most sets that are looked for in a log. An instance is provisioned by hand or by a broker, a few times. */
export const MAX_RESTORED = 64;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** A set that a storage key brought back. */
export interface RestoredSet {
  /** Number of the first entry that says so. */
  readonly entry: number;
  /** The provisioning that brought it back: SHA-256 of its record's body. */
  readonly hash: string;
  /** The provisioning that gave it. */
  readonly from: string;
  /** Whether an earlier entry of the session is of the provisioning that gave it. */
  readonly isShown: boolean;
}

/** What a session's entries say of sets that the log has under a storage key. */
export interface StoredSets {
  /** `operator-readable` where a provisioning of the session was stored, `none` where none was; `null` where no entry tells of one. */
  readonly storage: "operator-readable" | "none" | null;
  /** Sets that a storage key brought back, in the order of the entries. */
  readonly restored: readonly RestoredSet[];
  /** What the entries say against each other; `null` for nothing. */
  readonly problem: string | null;
}

/** A provisioning as an entry tells of it. */
interface Told {
  readonly sequence: unknown;
  readonly hash: string;
  readonly isSigned: boolean;
  readonly isStored: boolean;
  /** The provisioning that gave the set; `null` for itself. */
  readonly from: string | null;
}

/** Folds entries, in order, into what they say of stored sets. */
export class StoredSetFold {
  readonly #restored: RestoredSet[] = [];
  /** Provisionings that gave a set, by hash. */
  readonly #given = new Map<string, Told>();
  #before: Told | null = null;
  #storage: StoredSets["storage"] = null;
  #problem: string | null = null;

  add(entry: AuditEntry): void {
    const told = toldBy(entry);
    if (told === null) return;
    if (told.isStored || this.#storage === null) this.#storage = told.isStored ? "operator-readable" : "none";
    if (told.from === null) {
      if (this.#given.size < MAX_RESTORED) this.#given.set(told.hash, told);
    } else this.#restore({ ...told, from: told.from }, entry.sequence_number);
    this.#before = told;
  }

  finish(): StoredSets {
    return { storage: this.#storage, restored: this.#restored, problem: this.#problem };
  }

  #restore(told: Told & { readonly from: string }, entry: number): void {
    const { hash, from } = told;
    const shown = this.#given.get(from);
    const problem = problemOf(told, this.#before, shown);
    if (problem !== null) this.#problem ??= `entry ${entry}: ${problem}`;
    if (this.#restored.length < MAX_RESTORED) this.#restored.push({ entry, hash, from, isShown: shown !== undefined });
  }
}

/** What is wrong with a set that came back after another provisioning, which may have been the one before. */
function problemOf(
  { sequence, hash, isSigned, isStored, from }: Told,
  before: Told | null,
  shown: Told | undefined,
): string | null {
  if (from === null || !DIGEST.test(from) || from === hash) return "a stored set of no provisioning";
  if (!isSigned) return "a stored set that no signed statement brought back";
  if (!isStored) return "a stored set that was not stored again";
  if (shown !== undefined && !(shown.isSigned && shown.isStored))
    return "a stored set of a provisioning that stored none, or that nobody signed";
  // An entry between the two may be of another provisioning, which this session has no entry of.
  const follows = before !== null && typeof sequence === "number" && before.sequence === sequence - 1;
  if (follows && (before.from ?? before.hash) !== from)
    return "a stored set that is not that of the provisioning before it";
  return null;
}

function toldBy({ entry_type: type, detail }: AuditEntry): Told | null {
  const hash = detail?.["provision_hash"];
  if ((type !== "session_start" && type !== "provision") || typeof hash !== "string") return null;
  const from = detail?.["restored_from"] ?? null;
  return {
    sequence: detail?.["provision_sequence"],
    hash,
    isSigned: detail?.["provisioning"] === "signed",
    isStored: detail?.["storage"] === "operator-readable",
    from: from === null ? null : `${from}`,
  };
}
