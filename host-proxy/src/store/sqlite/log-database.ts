import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { CmcpError } from "@cmcp/boundary";
import { malformedStore } from "../segment.ts";
import { APPLICATION_ID, SCHEMA, SCHEMA_VERSION } from "./log-schema.ts";

/** Milliseconds to wait for another process that holds the file. */
const BUSY_MS = 1_000;
/**
 * An append that brings the write-ahead log to 8192 pages of 4 KiB moves it into the file. That takes a tenth of a
 * second and syncs the disk; with a {@link LogThread} an append hardly ever does it. The cache of 16 MiB keeps the
 * last page of each session in the index: with SQLite's 2 MiB every call reads one back. What is deleted is
 * overwritten, so that an erased body is in no page that compaction gave back.
 */
const PRAGMAS = `PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 8192; PRAGMA cache_size = -16384;
  PRAGMA secure_delete = ON;`;

/**
 * Opens a store's file (mode 0600), created when absent, or one in memory.
 * @param durable whether a commit waits for the disk (`synchronous = FULL`), or for the kernel alone (`NORMAL`)
 * @throws when the file cannot be opened, is of another kind or of another version
 */
export function openDatabase(path: string | null, durable: boolean): DatabaseSync {
  // SQLite gives its log files the mode of the database, which must not depend on the umask.
  if (path !== null) closeSync(openSync(path, "a", 0o600));
  const database = new DatabaseSync(path ?? ":memory:", { timeout: BUSY_MS });
  try {
    // nosemgrep: no-string-built-sql — called below with two fixed names; a pragma takes no parameters
    const pragma = (name: string): number => integer(database.prepare(`PRAGMA ${name}`).get()?.[name]);
    const tables = integer(database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()?.["tables"]);
    const known = pragma("application_id") === APPLICATION_ID && pragma("user_version") === SCHEMA_VERSION;
    if (tables > 0 && !known)
      throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the file is not an audit store of this version");
    database.exec(PRAGMAS);
    database.exec(durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    if (tables === 0) database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

/** @throws AUDIT_STORE_DAMAGED for a value of another type */
export function integer(value: SQLOutputValue | undefined): number {
  if (typeof value !== "number") throw malformedStore("a value of another type");
  return value;
}

/** @throws AUDIT_STORE_DAMAGED for a value of another type */
export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== "string") throw malformedStore("a value of another type");
  return value;
}

/** @throws AUDIT_STORE_DAMAGED for a value of another type */
export function blob(value: SQLOutputValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformedStore("a value of another type");
  return value;
}
