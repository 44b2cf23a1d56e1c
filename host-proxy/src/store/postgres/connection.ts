import { Pool, TypeOverrides } from "pg";
import { malformedStore } from "../segment.ts";

/** Connections of one store: one appends, the others read. */
const CONNECTIONS = 4;

/** Where a log is kept, and how. */
export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`; `sslmode=verify-full` asks for TLS. */
  readonly url: string;
  /** Name of the log: its checkpoints begin with it. */
  readonly origin: string;
  /**
   * `true`: an append waits until the server's disk has it, and each synchronous standby's (`synchronous_commit = on`).
   * `false`: loss of power, or death of the server, may take the newest batches, never a part of one.
   */
  readonly durable: boolean;
  /** Folder of old bodies; without one they stay in the store. */
  readonly archive?: string;
  /** Milliseconds that a connection, and an answer, may take; 10 000 where it is left out. */
  readonly answerMs?: number;
  /** Milliseconds after which `hold` ends; 60 000 where it is left out, longer than a launch may take. */
  readonly holdMs?: number;
  /** Refuses a database without this log, where it would otherwise be created. */
  readonly existing?: true;
}

/** Type `bigint` of the server, pg_type.dat. */
const INT8 = 20;

/** Opens the connections as they are needed. */
export function connections({ url, durable, answerMs = 10_000 }: PostgresStoreOptions): Pool {
  const types = new TypeOverrides();
  // Indexes have 48 bits and keys as many; `integer` refuses what a number cannot hold.
  types.setTypeParser(INT8, Number);
  const pool = new Pool({
    connectionString: url,
    max: CONNECTIONS,
    application_name: "cmcp",
    connectionTimeoutMillis: answerMs,
    // The server ends what takes too long. Where it does not answer at all, the connection is closed.
    statement_timeout: answerMs,
    query_timeout: answerMs + Math.min(answerMs, 1_000),
    options: `-c synchronous_commit=${durable ? "on" : "off"}`,
    keepAlive: true,
    types,
  });
  // A connection that ends while it is idle is replaced by the next query, which says so if it cannot be.
  pool.on("error", () => undefined);
  return pool;
}

/** A row as pg reads it. */
export type Row = Readonly<Record<string, unknown>>;

/** @throws AUDIT_STORE_DAMAGED for a value of another type */
export function integer(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw malformedStore("a value of another type");
  return value;
}

/** @throws AUDIT_STORE_DAMAGED for a value of another type */
export function bytes(value: unknown): Buffer {
  if (!Buffer.isBuffer(value)) throw malformedStore("a value of another type");
  return value;
}

/** @throws AUDIT_STORE_DAMAGED for a value of another type */
export function text(value: unknown): string {
  if (typeof value !== "string") throw malformedStore("a value of another type");
  return value;
}
