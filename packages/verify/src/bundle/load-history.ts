import type { AuditEntry } from "@cmcp/audit/schema";

/** What came into force: a policy, or a catalog. */
export interface InForce<Version> {
  readonly hash: string;
  /** `null` where the entry does not say it. */
  readonly version: Version | null;
}

/** What a session ran under, by its own entries. */
export type LoadHistory<Version> =
  | {
      readonly ok: true;
      /** What was in force at the end of the entries. */
      readonly latest: InForce<Version>;
      /** Hashes of all, in the order they came into force. */
      readonly hashes: readonly string[];
      /** The same with their versions. */
      readonly all: readonly InForce<Version>[];
      /** Calls that ended after what they were decided under had been replaced. */
      readonly overtaken: number;
    }
  | { readonly ok: false; readonly why: string };

/** How entries speak of what is in force. */
export interface LoadKind<Version> {
  readonly name: "policy" | "catalog";
  readonly plural: "policies" | "catalogs";
  /** The type of the entries that load another. */
  readonly loads: AuditEntry["entry_type"];
  /** What the root entry names; `null` for nothing. */
  readonly start: (root: AuditEntry) => InForce<Version> | null;
  /** What an entry that loads another names, and what it replaces; `null` for nothing. */
  readonly load: (entry: AuditEntry) => (InForce<Version> & { readonly previous: string }) | null;
  /** What an entry names; `null` for nothing. */
  readonly named: (entry: AuditEntry) => string | null;
  /** Whether a call that names none was decided under the one of the root entry, as long as no other came into force. */
  readonly rootIsDefault: boolean;
  /** What is wrong with a version that follows another; `null` where nothing is. */
  readonly problem: (next: Version | null, before: Version | null) => string | null;
}

/** Most policies, and most catalogs, of one session. */
const MAX_LOADS = 10_000;

/**
 * Follows `session_start` and every load. Each load must replace what was in force, and each call must name what had come into force
 * by then. A call under way finishes under what it was decided with: an earlier one is no contradiction, a later one is. The same holds for
 * every other entry that names one.
 */
export class LoadHistoryFold<Version> {
  readonly #kind: LoadKind<Version>;
  readonly #all: InForce<Version>[] = [];
  readonly #known = new Set<string>();
  #overtaken = 0;
  #entries = 0;
  #why: string | null;

  constructor(kind: LoadKind<Version>) {
    this.#kind = kind;
    this.#why = `the root entry names no ${kind.name}`;
  }

  add(entry: AuditEntry): void {
    if (this.#entries === 0) this.#start(entry);
    else if (this.#why === null) {
      const problem = this.#follow(entry);
      if (problem !== null) this.#why = `entry ${this.#entries} ${problem}`;
    }
    this.#entries += 1;
  }

  finish(): LoadHistory<Version> {
    const latest = this.#all.at(-1);
    if (this.#why !== null || latest === undefined) return { ok: false, why: this.#why ?? "there are no entries" };
    const hashes = this.#all.map(({ hash }) => hash);
    return { ok: true, latest, hashes, all: this.#all, overtaken: this.#overtaken };
  }

  #start(root: AuditEntry): void {
    const start = this.#kind.start(root);
    if (start === null) return;
    this.#why = null;
    this.#install(start);
  }

  #install({ hash, version }: InForce<Version>): void {
    this.#all.push({ hash, version });
    this.#known.add(hash);
  }

  /** @returns what is wrong with an entry after the first */
  #follow(entry: AuditEntry): string | null {
    const { name, loads, named, rootIsDefault } = this.#kind;
    const problem = entry.entry_type === loads ? this.#load(entry) : null;
    if (problem !== null) return problem;
    const isCall = entry.entry_type === "tool_call";
    const hash = named(entry);
    if (hash === null && (!isCall || (rootIsDefault && this.#all.length === 1))) return null;
    if (hash === null || !this.#known.has(hash))
      return isCall ? `was decided under a ${name} that was not in force` : `names a ${name} that was not in force`;
    if (isCall && hash !== this.#all.at(-1)?.hash) this.#overtaken += 1;
    return null;
  }

  #load(entry: AuditEntry): string | null {
    const { name, plural } = this.#kind;
    const before = this.#all.at(-1);
    const load = this.#kind.load(entry);
    if (load === null) return `loads a ${name} without saying which`;
    if (load.previous !== before?.hash) return `replaces another ${name} than the one in force`;
    if (this.#all.length >= MAX_LOADS) return `loads more than ${MAX_LOADS} ${plural}`;
    const problem = this.#kind.problem(load.version, before.version);
    if (problem === null) this.#install(load);
    return problem;
  }
}
