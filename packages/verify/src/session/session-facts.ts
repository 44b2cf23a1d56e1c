import { AGENT_MANIFEST, continuationOf, predecessorOf, successorOf, type AuditEntry } from "@cmcp/audit/schema";
import { CallSummaryBuilder, type CallFacts } from "@cmcp/claim/schema";
import { CatalogHistoryFold, type CatalogHistory } from "../bundle/catalog-history.ts";
import { PolicyHistoryFold, type PolicyHistory } from "../bundle/policy-history.ts";
import { advisoryDenialsIn } from "./advisory.ts";
import { StoredSetFold, type StoredSets } from "./stored-sets.ts";

/** What checks need of a session's entries, kept as they are read: it does not grow with their number. */
export interface SessionFacts {
  /** Number of entries. */
  readonly length: number;
  readonly root: AuditEntry | undefined;
  readonly last: AuditEntry | undefined;
  /** The entry of a number, if it was asked for. */
  at(number: number): AuditEntry | undefined;
  readonly policies: PolicyHistory;
  readonly catalogs: CatalogHistory;
  /** Names of the keys that requests could be sealed to, each once, in the order of the entries. */
  readonly sealKeys: readonly string[];
  /** Refusals by policy that the mode let through. */
  readonly advisoryDenials: number;
  /** Sets that the log has under a storage key. */
  readonly storedSets: StoredSets;
  /** Whether an entry says that a tool had drifted. */
  readonly drifted: boolean;
  /** Whether an entry says that a server ran in the attested machine. */
  readonly attestedServers: boolean;
  /** Calls that name another agent manifest than the root entry does. */
  readonly otherAgents: number;
  readonly links: SessionLinks;
  /** What a claim says of the entries; `null` if it was not asked for. */
  readonly calls: CallFacts | null;
}

/** The sessions that go on in one another. */
export interface SessionLinks {
  /** The full session whose place the first one took; `null` without one. */
  readonly continues: string | null;
  /** Resets in the chain: each closed a session and opened its successor. */
  readonly resets: number;
  /** The session that took the last one's place; `null` without one. */
  readonly continuedBy: string | null;
}

/** What to keep of entries beside what every check needs. */
export interface WantedFacts {
  /** Numbers of entries that are looked at again. */
  readonly numbers: ReadonlySet<number>;
  /** Whether there is a claim to hold to the entries. */
  readonly calls: boolean;
}

/** Only what every check needs. */
export const NOTHING_MORE: WantedFacts = { numbers: new Set(), calls: false };

/** Most names of keys that are kept: an instance has 255 keys at most, and its list has another name when one of them is new. */
const MAX_SEAL_KEYS = 256;
/** Bytes of distinct transcript rows: more than any claim has room for. */
const MAX_DISTINCT_BYTES = 64 * 1024 * 1024;

/** Folds entries, in order, into what checks need of them. */
export class SessionFactsFold {
  readonly #wanted: WantedFacts;
  readonly #entries = new Map<number, AuditEntry>();
  readonly #policies = new PolicyHistoryFold();
  readonly #catalogs = new CatalogHistoryFold();
  readonly #calls: CallSummaryBuilder | null;
  readonly #sealKeys = new Set<string>();
  readonly #storedSets = new StoredSetFold();
  #length = 0;
  #root: AuditEntry | undefined;
  #last: AuditEntry | undefined;
  #advisoryDenials = 0;
  #drifted = false;
  #attestedServers = false;
  #otherAgents = 0;
  #resets = 0;

  constructor(wanted: WantedFacts) {
    this.#wanted = wanted;
    this.#calls = wanted.calls ? new CallSummaryBuilder() : null;
  }

  add(entry: AuditEntry): void {
    this.#root ??= entry;
    this.#last = entry;
    if (this.#wanted.numbers.has(this.#length)) this.#entries.set(this.#length, entry);
    this.#length += 1;
    this.#policies.add(entry);
    this.#catalogs.add(entry);
    const sealKeys = sealKeysIn(entry);
    if (sealKeys !== null && this.#sealKeys.size < MAX_SEAL_KEYS) this.#sealKeys.add(sealKeys);
    this.#advisoryDenials += advisoryDenialsIn(entry);
    this.#storedSets.add(entry);
    if (successorOf(entry) !== null) this.#resets += 1;
    if (entry.entry_type === "tool_call" && agentIn(entry) !== agentIn(this.#root)) this.#otherAgents += 1;
    this.#drifted ||= entry.entry_type === "catalog_drift";
    this.#attestedServers ||= entry.evidence_class === "attested";
    // No claim has room for the rest, so that the transcripts differ either way.
    if (this.#calls !== null && this.#calls.distinctBytes <= MAX_DISTINCT_BYTES) this.#calls.add(entry);
  }

  finish(): SessionFacts {
    const entries = this.#entries;
    return {
      length: this.#length,
      root: this.#root,
      last: this.#last,
      at: (number) => entries.get(number),
      policies: this.#policies.finish(),
      catalogs: this.#catalogs.finish(),
      sealKeys: [...this.#sealKeys],
      advisoryDenials: this.#advisoryDenials,
      storedSets: this.#storedSets.finish(),
      drifted: this.#drifted,
      attestedServers: this.#attestedServers,
      otherAgents: this.#otherAgents,
      links: {
        continues: this.#root === undefined ? null : predecessorOf(this.#root),
        resets: this.#resets,
        continuedBy: this.#last === undefined ? null : continuationOf(this.#last),
      },
      calls: this.#calls?.finish() ?? null,
    };
  }
}

/** The keys to seal to that an entry names: those of the session's start, and others that a new report names. */
function sealKeysIn({ entry_type: type, detail }: AuditEntry): string | null {
  const name = detail?.["seal_keys"];
  return (type === "session_start" || type === "attestation_refresh") && typeof name === "string" ? name : null;
}

/** The agent manifest that an entry names. */
function agentIn({ detail }: AuditEntry): string | number | undefined {
  return detail?.[AGENT_MANIFEST];
}

/** The facts of entries that are at hand. */
export function factsOf(entries: Iterable<AuditEntry>, wanted = NOTHING_MORE): SessionFacts {
  const fold = new SessionFactsFold(wanted);
  for (const entry of entries) fold.add(entry);
  return fold.finish();
}
