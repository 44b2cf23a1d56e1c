import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { CmcpError } from "@cmcp/boundary";
import { APPLICATION_ID, SCHEMA, SCHEMA_VERSION } from "./schema.ts";
import { storeError } from "./store-error.ts";

/** Bytes of one record. */
export const RECORD_BYTES = 16 * 1024 * 1024;
/** Rows, and bytes of bodies, read at a time by a scan. */
const BATCH_ROWS = 64;
const BATCH_BYTES = 256 * 1024;
/**
 * The log is moved into the file by the append that brings it to 4096 pages of 4 KiB, which takes milliseconds and syncs
 * the disk. A call writes a dozen pages, so that one in some hundreds waits for it.
 */
const PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4096;";
/** Milliseconds to wait for another process that holds the file. */
const BUSY_MS = 1_000;

/** Where a record belongs; all of it chosen by the enclave. */
export interface RecordKey {
  readonly instance: string;
  readonly seq: number;
  readonly session: string;
  readonly kind: string;
}

/** Which records a scan returns; an absent field matches all. */
export interface RecordFilter {
  readonly instance?: string;
  readonly session?: string;
  readonly kind?: string;
}

/**
 * Append-only store of opaque records in one SQLite file, or in memory.
 *
 * Durability: write-ahead log with `synchronous = NORMAL`. When {@link append} returns, the record is in
 * the kernel's page cache, so it survives the death of this process and of the enclave. Loss of power or
 * a kernel crash may take appends since the log was last moved into the file, always a suffix and never a part of a record,
 * and leaves the file consistent. `FULL` would sync the disk on every append, milliseconds a call. What
 * such a loss removes is missed by whoever holds a receipt for it: the store is the host's and is
 * believed by no one.
 */
export class BlobStore {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #held: StatementSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #last: StatementSync;
  readonly #scans = new Map<string, StatementSync>();

  /**
   * @param path the file, created (mode 0600) when absent; `null` keeps the records in memory
   * @throws AUDIT_STORE_UNAVAILABLE when it cannot be opened, written or is not a store of this version
   */
  constructor(path: string | null) {
    try {
      // SQLite gives its log files the mode of the database, which must not depend on the umask.
      if (path !== null) closeSync(openSync(path, "a", 0o600));
      this.#database = new DatabaseSync(path ?? ":memory:", { timeout: BUSY_MS });
      prepareTables(this.#database);
      this.#insert = this.#database.prepare("INSERT INTO records (instance, seq, session, kind, body) VALUES (?, ?, ?, ?, ?)");
      this.#begin = this.#database.prepare("BEGIN IMMEDIATE");
      this.#commit = this.#database.prepare("COMMIT");
      this.#rollback = this.#database.prepare("ROLLBACK");
      this.#held = this.#database.prepare("SELECT session, kind, body FROM records WHERE instance = ? AND seq = ?");
      this.#last = this.#database.prepare("SELECT coalesce(max(position), 0) AS last FROM records");
    } catch (thrown) {
      throw storeError(thrown);
    }
  }

  /**
   * Stores one record; see the class for what a return promises. The same record again is acknowledged
   * again, because its sender may have lost the first answer.
   * @throws AUDIT_RECORD_TOO_LARGE over {@link RECORD_BYTES}; AUDIT_STORE_MISMATCH when the instance already
   *   has another record of this number; AUDIT_STORE_UNAVAILABLE when the file cannot be written
   */
  append(key: RecordKey, body: Uint8Array): void {
    if (body.length > RECORD_BYTES) throw new CmcpError("AUDIT_RECORD_TOO_LARGE", `a record exceeds ${RECORD_BYTES} bytes`);
    try {
      this.#insert.run(key.instance, key.seq, key.session, key.kind, body);
    } catch (thrown) {
      const failure = storeError(thrown);
      if (failure.code !== "AUDIT_STORE_MISMATCH" || !this.#holds(key, body)) throw failure;
    }
  }

  /** Runs appends as one transaction: either all of them are durable or the error says that none is. */
  together(appends: () => void): void {
    this.#begin.run();
    try {
      appends();
      this.#commit.run();
    } catch (thrown) {
      this.#rollback.run();
      throw thrown;
    }
  }

  #holds(key: RecordKey, body: Uint8Array): boolean {
    const row = this.#held.get(key.instance, key.seq);
    return row !== undefined && row["session"] === key.session && row["kind"] === key.kind && row["body"] instanceof Uint8Array && Buffer.compare(row["body"], body) === 0;
  }

  /**
   * The matching records in bounded batches: of one instance in the order it numbered them, of several in
   * the order of insertion. Records appended after the first batch was asked for are not part of it.
   * @throws AUDIT_STORE_UNAVAILABLE when the file cannot be read
   */
  *scan(filter: RecordFilter): Generator<readonly Uint8Array[], void, void> {
    try {
      const last = integer(this.#last.get()?.["last"]);
      const { statement, values } = this.#scanStatement(filter);
      // Numbers start at 0, positions at 1.
      let after = -1;
      for (;;) {
        const bodies: Uint8Array[] = [];
        let bytes = 0;
        for (const row of statement.iterate(last, after, ...values)) {
          const { place, body } = row;
          if (!(body instanceof Uint8Array)) throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the audit store holds a row without a body");
          after = integer(place);
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

  close(): void {
    this.#database.close();
  }

  // One statement per combination of fields: `column = ? OR ? IS NULL` would keep SQLite from its indexes.
  #scanStatement(filter: RecordFilter): { statement: StatementSync; values: string[] } {
    const values: string[] = [];
    const place = filter.instance === undefined ? "position" : "seq";
    let conditions = `position <= ? AND ${place} > ?`;
    for (const column of ["instance", "session", "kind"] as const) {
      const value = filter[column];
      if (value === undefined) continue;
      values.push(value);
      conditions += ` AND ${column} = ?`;
    }
    let statement = this.#scans.get(conditions);
    if (statement === undefined) {
      // nosemgrep: no-string-built-sql — both parts are put together above from fixed names; values are bound
      statement = this.#database.prepare(`SELECT ${place} AS place, body FROM records WHERE ${conditions} ORDER BY ${place}`);
      this.#scans.set(conditions, statement);
    }
    return { statement, values };
  }
}

function prepareTables(database: DatabaseSync): void {
  // nosemgrep: no-string-built-sql — called below with two fixed names; a pragma takes no parameters
  const pragma = (name: string): number => integer(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  const tables = integer(database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()?.["tables"]);
  const known = pragma("application_id") === APPLICATION_ID && pragma("user_version") === SCHEMA_VERSION;
  if (tables > 0 && !known) throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the file is not an audit store of this version");
  database.exec(PRAGMAS);
  if (tables === 0) database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
}

function integer(value: unknown): number {
  if (typeof value !== "number") throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the audit store holds a value of another type");
  return value;
}
