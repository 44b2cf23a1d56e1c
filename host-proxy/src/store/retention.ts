import { setImmediate } from "node:timers/promises";
import { asCmcpError, CmcpError, isJsonObject, parseJson, untrusted, type JsonObject } from "@cmcp/boundary";
import type { Log } from "../log.ts";
import type { ArchivingStore } from "./archive.ts";
import { BATCH_RECORDS, type LogStore } from "./log-store.ts";

/** Of an entry and of a snapshot, as the enclave writes them. */
const BODY_LIMITS = { maxBytes: 16 * 1024 * 1024, maxDepth: 32, maxItems: 100_000 };
/** Snapshots that lie behind before a body leaves the store: the newest may turn out not to be usable. */
const SNAPSHOTS_BEHIND = 2;
/** Days after the term for which a session that is still open holds bodies back. */
export const OPEN_SESSION_DAYS = 30;
const DAY_MS = 86_400_000;
/** Records that one step looks at and archives at most: a whole segment always fits. */
const STEP_RECORDS = 2 * BATCH_RECORDS;
/** Milliseconds between two looks at what may leave. */
const LOOK_MS = 3_600_000;
/** Sessions whose end a look remembers. */
const KNOWN_SESSIONS = 10_000;

/** When bodies leave the store. */
export interface RetentionOptions {
  /** Days that bodies stay in the store for auditors, after the session has ended. */
  readonly termDays: number;
  /** Milliseconds since the epoch; the clock of this process where it is left out. */
  readonly now?: () => number;
}

/** What one look may archive, by the log's indexes. */
interface Limits {
  /** No body from here on leaves: a snapshot before which the term has passed, with two snapshots behind it. */
  readonly to: number;
  /** Index before which records have had the whole term. A session has ended if its end lies before it. */
  readonly due: number;
  /** Bodies before this index leave whether or not their session has a claim. */
  readonly ended: number;
}

/**
 * Moves old bodies to the archive, beside the appends. A body leaves once all of this lies behind:
 * two snapshots; the end of its session; and the auditors' term since then. A session has ended with a claim made after the record, with
 * its successor's, or with the next hand-over: no session outlives the instance that wrote it. One that is still open
 * {@link OPEN_SESSION_DAYS} after the term holds nothing back.
 * The time of a record is the `time_floor` of the first snapshot behind it.
 */
export class Retention {
  readonly #store: ArchivingStore;
  readonly #termMs: number;
  readonly #now: () => number;
  #running: Promise<number> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(store: ArchivingStore, { termDays, now = Date.now }: RetentionOptions) {
    this.#store = store;
    this.#termMs = termDays * DAY_MS;
    this.#now = now;
  }

  /**
   * Archives all that may leave. One call at a time works; another meanwhile waits for the same.
   * @returns the index before which all bodies are in files
   * @throws AUDIT_STORE_UNAVAILABLE when store or archive cannot be read or written; AUDIT_STORE_DAMAGED as `scan`
   */
  async look(): Promise<number> {
    this.#running ??= this.#look().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Looks at once, and again each hour until {@link close}. A failure is logged, and tried again with the next look. */
  start(log: Log): void {
    const look = (): void =>
      void this.look().catch((thrown: unknown) => {
        const { code } = asCmcpError(thrown, "AUDIT_STORE_UNAVAILABLE", "archiving failed");
        log.warn("old bodies of the audit store were not archived", { code });
      });
    this.#timer = setInterval(look, LOOK_MS);
    this.#timer.unref();
    look();
  }

  /** Ends after the step under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    // Whoever began it is told how it failed.
    await this.#running?.catch(() => undefined);
  }

  async #look(): Promise<number> {
    let from = await this.#store.archivedBefore();
    const limits = await this.#limits(from);
    const claims = new Claims(this.#store, limits.due);
    while (!this.#closed && from < limits.to) {
      const to = await firstOpen(this.#store, { from, to: Math.min(limits.to, from + STEP_RECORDS) }, limits, claims);
      const before = await this.#store.archive(to);
      // The rest is held back, not compacted yet, or ends within a segment.
      if (before <= from) break;
      from = before;
      await setImmediate();
    }
    return from;
  }

  async #limits(from: number): Promise<Limits> {
    const now = this.#now();
    const snapshots: number[] = [];
    let [due, overdue, ended] = [0, 0, 0];
    for await (const piece of this.#store.scan({ from, kind: "snapshot" }))
      for (const { index, body } of piece) {
        snapshots.push(index);
        const age = now - timeFloor(body);
        if (age >= this.#termMs) due = index;
        if (age >= this.#termMs + OPEN_SESSION_DAYS * DAY_MS) overdue = index;
      }
    for await (const piece of this.#store.scan({ from, to: due, kind: "hand-over", bodies: false }))
      ended = piece.at(-1)?.index ?? ended;
    return { due, to: Math.min(due, snapshots.at(-SNAPSHOTS_BEHIND) ?? 0), ended: Math.max(ended, overdue) };
  }
}

/** The first index in a range with an entry of a session that has not ended, or the range's end. */
async function firstOpen(
  store: LogStore,
  { from, to }: { readonly from: number; readonly to: number },
  { ended }: Limits,
  claims: Claims,
): Promise<number> {
  if (ended >= to) return to;
  for await (const piece of store.scan({ from: Math.max(from, ended), to, kind: "entry", bodies: false }))
    for (const { index, session } of piece) if (!(await claims.cover(session, index))) return index;
  return to;
}

/** Claims of the sessions of an instance, looked up as they are asked for. */
class Claims {
  readonly #store: LogStore;
  readonly #before: number;
  readonly #latest = new Map<string, number>();
  readonly #successors = new Map<string, string | null>();

  /** @param before claims from this index on do not count */
  constructor(store: LogStore, before: number) {
    this.#store = store;
    this.#before = before;
  }

  /** Whether a claim made after an entry covers it: its session's, or that of a successor in the same chain. */
  async cover(session: string, index: number): Promise<boolean> {
    const seen = new Set<string>();
    for (let next: string | null = session; next !== null && !seen.has(next); ) {
      seen.add(next);
      const at: string = next;
      if ((await remember(this.#latest, at, async () => this.#latestOf(at, index))) > index) return true;
      next = await remember(this.#successors, at, async () => this.#successorOf(at, index));
    }
    return false;
  }

  async #latestOf(session: string, from: number): Promise<number> {
    let latest = -1;
    for await (const piece of this.#store.scan({ session, from, to: this.#before, kind: "claim", bodies: false }))
      latest = piece.at(-1)?.index ?? latest;
    return latest;
  }

  /** The session that the last entry of a session names, if that is a reset. What it says decides when bodies leave, and nothing else. */
  async #successorOf(session: string, from: number): Promise<string | null> {
    let last: Uint8Array | undefined;
    for await (const piece of this.#store.scan({ session, from, kind: "entry" })) last = piece.at(-1)?.body ?? last;
    const entry = last === undefined ? null : parseBody(last);
    if (entry?.["entry_type"] !== "session_reset" || !isJsonObject(entry["detail"])) return null;
    const successor = entry["detail"]["successor_session_id"];
    return typeof successor === "string" ? successor : null;
  }
}

async function remember<T>(known: Map<string, T>, session: string, find: () => Promise<T>): Promise<T> {
  const held = known.get(session);
  if (held !== undefined) return held;
  if (known.size >= KNOWN_SESSIONS) known.clear();
  const found = await find();
  known.set(session, found);
  return found;
}

/** Milliseconds since the epoch; of a body that says none, a time that never passes. */
function timeFloor(body: Uint8Array): number {
  const floor = parseBody(body)?.["time_floor"];
  return typeof floor === "number" ? floor : Infinity;
}

function parseBody(body: Uint8Array): JsonObject | null {
  try {
    const value = parseJson(untrusted(body), BODY_LIMITS);
    return isJsonObject(value) ? value : null;
  } catch (thrown) {
    if (thrown instanceof CmcpError) return null;
    throw thrown;
  }
}
