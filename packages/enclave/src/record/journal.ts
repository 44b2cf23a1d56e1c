import { setTimeout as sleep } from "node:timers/promises";
import { asCmcpError, CmcpError, toBase64Url, toHex } from "@cmcp/boundary";
import {
  encodeRecord,
  snapshotOf,
  type AuditEntry,
  type Decided,
  type EncodedStatement,
  type JournalStatement,
  type LogState,
  type Receipt,
  type ReceiptBody,
  type RecordKind,
} from "@cmcp/audit";
import {
  appendLeaves,
  formatCheckpoint,
  leafHash,
  rootOf,
  signNote,
  type CompactRange,
  type VerifierKey,
} from "@cmcp/log";
import { encodeBatch, MAX_APPENDED_RECORDS, type ExchangePool } from "@cmcp/wire";
import { HostLog } from "./host-log.ts";
import type { SignedHead, Witnesses } from "./witnesses.ts";

/** Whose records the journal writes, and into which log. */
export interface JournalIdentity {
  /** RFC 7638 thumbprint of the signing key, base64url. */
  readonly instance: string;
  /** Name of the log. */
  readonly origin: string;
  /** The key in notes. */
  readonly key: VerifierKey;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

/** A statement, and the entry that it is if its text is written already. */
export type Recorded =
  | JournalStatement
  | Exclude<EncodedStatement, { kind: "entry" }>
  | (Extract<EncodedStatement, { kind: "entry" }> & { readonly entry: AuditEntry });

/** Longest time that a caller waits for the host's acknowledgement, in milliseconds. */
const ACKNOWLEDGE_MS = 5_000;
/** Most records without an acknowledgement. Above this limit no record is accepted. */
const MAX_PENDING = 1_024;
/** Most bytes of one append. A larger record goes alone. */
const MAX_TOGETHER_BYTES = 1_048_576;
const RETRY_FIRST_MS = 25;
const RETRY_MAX_MS = 2_000;
/**
 * Fewest records between two snapshots. There are at least as many as a snapshot has facts, so that snapshots stay a
 * small part of the log.
 */
export const SNAPSHOT_EVERY = 4_096;
/** A record that the host has not acknowledged. */
interface Waiting {
  readonly session: string;
  readonly kind: RecordKind;
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
  readonly said: ReceiptBody | null;
  readonly stored: (stored: StoredRecord) => void;
}

/** Where a record stands in the log, and the receipt of a decision. */
interface StoredRecord {
  readonly index: number;
  readonly receipt: Receipt | null;
}

/** Where a journal begins. */
export interface LogBeginning {
  readonly range: CompactRange;
  readonly state: LogState;
  readonly snapshotAt: number;
}

/** A head of the log that the host has stored. */
export interface StoredHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * The gateway's log, which the host stores. Every record is retried until the host acknowledges it or the process ends, because the
 * hash chain in memory already contains it. Callers wait for a limited time.
 */
export class Journal extends HostLog {
  readonly #identity: JournalIdentity;
  readonly #fenced: (error: CmcpError) => void;
  readonly #waiting: Waiting[] = [];
  #state: LogState | null = null;
  #witnesses: Pick<Witnesses, "stored" | "cosigned"> | null = null;
  /** The tree with every record that was signed. */
  #range: CompactRange = { size: 0, hashes: [] };
  #head: StoredHead | null = null;
  #next = 0;
  #snapshotAt = 0;
  #sending = false;
  #sequence = 0;
  #pending = 0;
  #late = 0;

  /** @param fenced called when the store holds another record where this journal writes: another instance writes the log */
  constructor(pool: ExchangePool, identity: JournalIdentity, fenced: (error: CmcpError) => void) {
    super(pool);
    this.#identity = identity;
    this.#fenced = fenced;
  }

  /**
   * Begins to write.
   *
   * @param range the log so far
   * @param state what its records amount to
   * @param snapshotAt records at the last snapshot
   * @param witnesses get every head once the host has stored it; `null` for none
   */
  begin(
    { range, state, snapshotAt }: LogBeginning,
    witnesses: Pick<Witnesses, "stored" | "cosigned"> | null = null,
  ): void {
    this.#witnesses = witnesses;
    this.#range = range;
    this.#next = range.size;
    this.#state = state;
    this.#snapshotAt = snapshotAt;
    this.#head = range.size === 0 ? null : { size: range.size, root: rootOf(range) };
  }

  /** Records of the log, with those that the host has not acknowledged. */
  get size(): number {
    return this.#next;
  }

  /** The newest head that the host has stored; `null` for an empty log. */
  get head(): StoredHead | null {
    return this.#head;
  }

  /** Whether the host is late: it has not acknowledged a record within 5 s. Later records wait behind that one. */
  get behind(): boolean {
    return this.#late > 0;
  }

  /** @throws CmcpError `AUDIT_STORE_UNAVAILABLE` while the host is {@link behind}. */
  assertCaughtUp(): void {
    if (this.behind) throw unacknowledged();
  }

  /** @throws CmcpError `AUDIT_STORE_UNAVAILABLE` while the host is {@link behind}, or too many records wait. */
  assertWritable(): void {
    if (this.behind || this.#pending >= MAX_PENDING) throw unacknowledged();
  }

  /**
   * Stores a record. Resolves when the host acknowledges it, with the receipt of a decision.
   * @param session the record's session, or the instance
   * @param decided what an entry decides, for its receipt
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE` after 5 s; the record is still retried
   */
  async append(session: string, statement: Recorded, decided: Decided | null = null): Promise<Receipt | null> {
    const stored = this.#append(session, statement, decided);
    this.#snapshotIfDue();
    return (await stored).receipt;
  }

  /**
   * As {@link append}, and waits until a quorum of witnesses has cosigned the log with the record. Without witnesses it does not wait.
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE`, `WITNESS_UNAVAILABLE`; the record stays in the log
   */
  async appendCosigned(session: string, statement: Recorded): Promise<void> {
    const stored = this.#append(session, statement, null);
    this.#snapshotIfDue();
    const { index } = await stored;
    await this.#witnesses?.cosigned(index);
  }

  /**
   * Waits until a quorum of witnesses has cosigned all that the host has stored. Without witnesses it does not wait.
   * @throws CmcpError `WITNESS_UNAVAILABLE`
   */
  async cosigned(): Promise<void> {
    if (this.#head !== null) await this.#witnesses?.cosigned(this.#head.size - 1);
  }

  /** Writes a snapshot. Resolves when the host has stored it. @throws CmcpError `AUDIT_STORE_UNAVAILABLE` */
  async writeSnapshot(): Promise<void> {
    if (this.#state === null || this.#state.handOver === null) return;
    const at = this.#next;
    const { hashes } = appendLeaves(
      this.#range,
      this.#waiting.map(({ leaf }) => leafHash(leaf)),
    ).range;
    this.#snapshotAt = at;
    const parts = snapshotOf(this.#state, at, hashes.map(toHex));
    await Promise.all(parts.map((statement) => this.#append(this.#identity.instance, statement, null)));
  }

  #snapshotIfDue(): void {
    if (this.#state === null || this.#next - this.#snapshotAt < SNAPSHOT_EVERY) return;
    if (this.#next - this.#snapshotAt < this.#state.size) return;
    // A host that is late with it is late with all that follows, and the callers of those learn it.
    this.writeSnapshot().catch(() => undefined);
  }

  #append(session: string, statement: Recorded, decided: Decided | null): Promise<StoredRecord> {
    const { instance } = this.#identity;
    const seq = this.#sequence;
    const { leaf, body } = encodeRecord(statement, { instance, seq }, decided);
    this.#apply(statement);
    const { promise, resolve, reject } = Promise.withResolvers<StoredRecord>();
    let overdue = false;
    const timer = setTimeout(() => {
      overdue = true;
      this.#late += 1;
      reject(new CmcpError("AUDIT_STORE_UNAVAILABLE", "the host did not acknowledge an audit record in time"));
    }, ACKNOWLEDGE_MS).unref();
    const stored = (record: StoredRecord): void => {
      clearTimeout(timer);
      this.#pending -= 1;
      if (overdue) this.#late -= 1;
      resolve(record);
    };
    const said = decided === null ? null : { ...decided, instance, seq };
    this.#waiting.push({ session, kind: statement.kind, leaf, body, said, stored });
    this.#sequence += 1;
    this.#next += 1;
    this.#pending += 1;
    if (!this.#sending) void this.#send();
    return promise;
  }

  #apply(statement: Recorded): void {
    if (statement.kind === "claim") return;
    const { instance } = this.#identity;
    if ("entry" in statement) this.#state?.apply({ kind: "entry", body: statement.entry }, instance, this.#next);
    else this.#state?.apply(statement, instance, this.#next);
  }

  /**
   * Stores all waiting records, one append at a time. Records that arrive during an append go together in the next one, under one
   * note.
   */
  async #send(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      const first = this.#range.size;
      const leaves = batch.map(({ leaf }) => leafHash(leaf));
      const { range, root, paths } = appendLeaves(this.#range, leaves);
      this.#range = range;
      const head = this.#signed({ size: range.size, root });
      const { note } = head;
      await this.#store(first, note, batch);
      this.#head = { size: range.size, root };
      this.#witnesses?.stored(head);
      for (const [place, { said, stored }] of batch.entries()) {
        const index = first + place;
        const path = (paths[place] ?? []).map(toBase64Url);
        stored({ index, receipt: said === null ? null : { ...said, log: { index, path, note } } });
      }
    }
    this.#sending = false;
  }

  #signed(head: StoredHead): SignedHead {
    const { origin, key, sign } = this.#identity;
    const text = formatCheckpoint({ origin, ...head });
    return { size: head.size, text, note: signNote(text, key, sign) };
  }

  /** A note over the newest stored head, with which a record of the log can be proven. @throws CmcpError `INTERNAL` for an empty log */
  signedHead(): StoredHead & { readonly note: string } {
    if (this.#head === null) throw new CmcpError("INTERNAL", "the log has no records yet");
    return { ...this.#head, note: this.#signed(this.#head).note };
  }

  #take(): Waiting[] {
    let bytes = 0;
    const count = this.#waiting.findIndex(({ leaf, body }, index) => {
      bytes += leaf.length + body.length;
      return index >= MAX_APPENDED_RECORDS || (index > 0 && bytes > MAX_TOGETHER_BYTES);
    });
    return this.#waiting.splice(0, count === -1 ? this.#waiting.length : count);
  }

  async #store(first: number, note: string, records: readonly Waiting[]): Promise<void> {
    const encoded = encodeBatch({ note, records });
    for (let wait = RETRY_FIRST_MS; ; wait = Math.min(wait * 2, RETRY_MAX_MS)) {
      try {
        const exchange = await this.pool.open({ t: "append", first });
        await exchange.write(encoded);
        await exchange.end();
        await exchange.head;
        for await (const _ of exchange.body); // Reading the empty body returns the stream to the pool.
        return;
      } catch (thrown) {
        const error = asCmcpError(thrown, "AUDIT_STORE_UNAVAILABLE", "the append failed");
        if (error.code === "AUDIT_STORE_MISMATCH") {
          this.#fenced(
            new CmcpError("AUDIT_STORE_MISMATCH", "the audit store holds another record where this instance writes"),
          );
          return await new Promise<never>(() => undefined);
        }
        // The records must not be lost, so every other error is retried. `append` limits how long callers wait.
        await sleep(wait, undefined, { ref: false });
      }
    }
  }
}

function unacknowledged(): CmcpError {
  return new CmcpError("AUDIT_STORE_UNAVAILABLE", "the host has not acknowledged earlier audit records");
}
