import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { CmcpError } from "@cmcp/boundary";
import { LogThread } from "./log-thread.ts";
import { scanSql, type RecordFilter } from "./scan-sql.ts";
import { APPLICATION_ID, RECORDS_OF_INSTANCE, SCHEMA, SCHEMA_VERSION } from "./schema.ts";
import { openingError, storeError } from "./store-error.ts";

/** Bytes of one record. */
export const RECORD_BYTES = 16 * 1024 * 1024;
/** Rows, and bytes of bodies, read at a time by a scan. */
const BATCH_ROWS = 64;
const BATCH_BYTES = 256 * 1024;
/**
 * An append that brings the log to 8192 pages of 4 KiB moves it into the file, which takes a tenth of a second and
 * syncs the disk; one with a {@link LogThread} hardly ever does. The cache of 16 MiB keeps the last page of each
 * session in the index: with SQLite's 2 MiB every call reads one back.
 */
const PRAGMAS =
  "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 8192; PRAGMA cache_size = " +
  "-16384;";
/** Milliseconds to wait for another process that holds the file. */
const BUSY_MS = 1_000;

/** One record, and where it belongs; all of it chosen by the enclave. */
export interface StoredRecord {
  readonly session: string;
  readonly kind: string;
  readonly body: Uint8Array;
}

/**
 * Append-only store of opaque records in one SQLite file, or in memory.
 *
 * Durability: write-ahead log with `synchronous = NORMAL`. When {@link append} returns, the records are in the kernel's
 * page cache, so they survive the death of this process and of the enclave. Loss of power or a kernel crash may take
 * appends since the log was last moved into the file, always a suffix and never a part of a record, and leaves the file
 * consistent. `FULL` would sync the disk on every append, milliseconds a call. What such a loss removes is missed by
 * whoever holds a receipt for it: the store is the host's and is believed by no one.
 */
export class BlobStore {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #held: StatementSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #number: StatementSync;
  readonly #enter: StatementSync;
  readonly #last: StatementSync;
  readonly #scans = new Map<string, StatementSync>();
  readonly #path: string | null;
  #log: LogThread | undefined;

  /**
   * @param path the file, created (mode 0600) when absent; `null` keeps the records in memory
   * @throws AUDIT_STORE_UNAVAILABLE naming the path when it cannot be opened, written or is not a store of this version
   */
  constructor(path: string | null) {
    this.#path = path;
    try {
      // SQLite gives its log files the mode of the database, which must not depend on the umask.
      if (path !== null) closeSync(openSync(path, "a", 0o600));
      this.#database = new DatabaseSync(path ?? ":memory:", { timeout: BUSY_MS });
      prepareTables(this.#database);
      this.#insert = this.#database.prepare("INSERT INTO records (position, session, kind, body) VALUES (?, ?, ?, ?)");
      this.#held = this.#database.prepare("SELECT session, kind, body FROM records WHERE position = ?");
      this.#begin = this.#database.prepare("BEGIN IMMEDIATE");
      this.#commit = this.#database.prepare("COMMIT");
      this.#rollback = this.#database.prepare("ROLLBACK");
      this.#number = this.#database.prepare("SELECT number FROM instances WHERE instance = ?");
      this.#enter = this.#database.prepare("INSERT INTO instances (instance) VALUES (?)");
      this.#last = this.#database.prepare("SELECT coalesce(max(position), 0) AS last FROM records WHERE position < ?");
    } catch (thrown) {
      throw openingError(path ?? ":memory:", thrown);
    }
  }

  /**
   * Stores records of one instance in one transaction, numbered from `seq`: all of them, or none. See the class for
   * what a return promises. The same records again are acknowledged again, because their sender may have lost the first
   * answer.
   * @throws AUDIT_RECORD_TOO_LARGE over {@link RECORD_BYTES}; AUDIT_STORE_MISMATCH when the instance already has
   * another
   *   record of such a number; AUDIT_STORE_UNAVAILABLE when the file cannot be written, or has no such number
   */
  append(instance: string, seq: number, records: readonly StoredRecord[]): void {
    if (records.some(({ body }) => body.length > RECORD_BYTES))
      throw new CmcpError("AUDIT_RECORD_TOO_LARGE", `a record exceeds ${RECORD_BYTES} bytes`);
    if (seq + records.length > RECORDS_OF_INSTANCE)
      throw new CmcpError(
        "AUDIT_STORE_UNAVAILABLE",
        `the audit store takes at most ${RECORDS_OF_INSTANCE} records of one instance`,
      );
    try {
      this.#begin.run();
      try {
        const first = this.#firstPosition(instance) ?? this.#entered(instance);
        for (const [index, record] of records.entries()) this.#store(first + seq + index, record);
        this.#commit.run();
        this.#log?.appended(records.length);
      } catch (thrown) {
        // Some failures, a full disk among them, have ended the transaction already.
        if (this.#database.isTransaction) this.#rollback.run();
        throw thrown;
      }
    } catch (thrown) {
      throw storeError(thrown);
    }
  }

  #store(position: number, { session, kind, body }: StoredRecord): void {
    try {
      this.#insert.run(position, session, kind, body);
    } catch (thrown) {
      const failure = storeError(thrown);
      const row = failure.code === "AUDIT_STORE_MISMATCH" ? this.#held.get(position) : undefined;
      const held =
        row !== undefined &&
        row["session"] === session &&
        row["kind"] === kind &&
        row["body"] instanceof Uint8Array &&
        Buffer.compare(row["body"], body) === 0;
      if (!held) throw failure;
    }
  }

  /** Where an instance's records begin; `undefined` for one that has none. */
  #firstPosition(instance: string): number | undefined {
    const row = this.#number.get(instance);
    return row === undefined ? undefined : integer(row["number"]) * RECORDS_OF_INSTANCE;
  }

  #entered(instance: string): number {
    return Number(this.#enter.run(instance).lastInsertRowid) * RECORDS_OF_INSTANCE;
  }

  /**
   * The matching records in bounded batches, of an instance in the order it numbered them, the instance that came first
   * before others. What an instance, or the latest one, appends after the first batch was asked for is not part of it.
   * @throws AUDIT_STORE_UNAVAILABLE when the file cannot be read
   */
  *scan(filter: RecordFilter): Generator<readonly Uint8Array[], void, void> {
    try {
      const first = filter.instance === undefined ? 0 : this.#firstPosition(filter.instance);
      if (first === undefined) return;
      const last = integer(
        this.#last.get(filter.instance === undefined ? Number.MAX_SAFE_INTEGER : first + RECORDS_OF_INSTANCE)?.["last"],
      );
      const { statement, values } = this.#scanStatement(filter);
      let after = first - 1;
      for (;;) {
        const bodies: Uint8Array[] = [];
        let bytes = 0;
        for (const { position, body } of statement.iterate(last, after, ...values)) {
          if (!(body instanceof Uint8Array))
            throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the audit store holds a row without a body");
          after = integer(position);
          bodies.push(body);
          bytes += body.length;
          if (bodies.length >= BATCH_ROWS || bytes >= BATCH_BYTES) break;
        }
        if (bodies.length === 0) return;
        yield bodies;
      }
    } catch (thrown) {
      throw storeError(thrown);
    }
  }

  /**
   * From now on the log is moved by a thread of its own, which is to be closed before the store; records in memory have
   * no log.
   * @param failed called when the thread ends by itself: from then on appends move the log
   */
  moveLogAside(failed: () => void): LogThread | null {
    if (this.#path === null) return null;
    this.#log = new LogThread(this.#path, () => this.#moveRest(), failed);
    return this.#log;
  }

  /**
   * Moves the few pages that the thread has left, as it cannot while others are appended: from here the log begins
   * anew.
   */
  #moveRest(): void {
    try {
      this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch {
      // It is in the log as it was. What hinders this hinders the appends too, and they say so to who asked for them.
    }
  }

  close(): void {
    this.#database.close();
  }

  #scanStatement(filter: RecordFilter): { statement: StatementSync; values: readonly string[] } {
    const { sql, values } = scanSql(filter);
    let statement = this.#scans.get(sql);
    if (statement === undefined) {
      // nosemgrep: no-string-built-sql — put together from fixed texts; values are bound
      statement = this.#database.prepare(sql);
      this.#scans.set(sql, statement);
    }
    return { statement, values };
  }
}

function prepareTables(database: DatabaseSync): void {
  // nosemgrep: no-string-built-sql — called below with two fixed names; a pragma takes no parameters
  const pragma = (name: string): number => integer(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  const tables = integer(database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()?.["tables"]);
  const known = pragma("application_id") === APPLICATION_ID && pragma("user_version") === SCHEMA_VERSION;
  if (tables > 0 && !known)
    throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the file is not an audit store of this version");
  database.exec(PRAGMAS);
  if (tables === 0) database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
}

function integer(value: unknown): number {
  if (typeof value !== "number")
    throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the audit store holds a value of another type");
  return value;
}
