import { CmcpError } from "@cmcp/boundary";
import { MAX_NOTE_BYTES } from "@cmcp/log/format";

/** Bytes of a leaf's header (RFC 8785 text). */
export const HEADER_BYTES = 4096;
/** Bytes of the body beside a header. */
export const BODY_BYTES = 16 * 1024 * 1024;
/** Bytes, in UTF-8, of a record's kind and of its session. */
export const NAME_BYTES = 255;
/** Bytes of a batch's note, a C2SP checkpoint. */
export const NOTE_BYTES = 4096;
/** Bytes of a note with signatures of witnesses, as its reader bounds it. */
export const COSIGNED_NOTE_BYTES = MAX_NOTE_BYTES;
/** Records of one batch. */
export const BATCH_RECORDS = 4096;
/** Bytes of all headers, bodies and names of one batch. */
export const BATCH_BYTES = BODY_BYTES + 1024 * 1024;
/** Leaves of one log: a wire index has 48 bits. */
export const LOG_RECORDS = 2 ** 48;
/** Records, and bytes of headers and bodies, of one piece of a scan, unless a single record has more. */
export const PIECE_RECORDS = 64;
export const PIECE_BYTES = 256 * 1024;

/** One record, and where it belongs; all of it chosen by the enclave. */
export interface StoredRecord {
  /** The session, or the thumbprint of the instance's key for a record of none. */
  readonly session: string;
  readonly kind: string;
  /** The leaf: SHA-256(0x00 ‖ header) is its hash (RFC 9162, section 2.1.1). */
  readonly header: Uint8Array;
  /** May be empty. */
  readonly body: Uint8Array;
}

/** A record and its place in the log, counted from 0. */
export interface IndexedRecord extends StoredRecord {
  readonly index: number;
}

/** Records that are stored together, with the signed checkpoint of the tree after them. */
export interface Batch {
  /** Index of the first record. */
  readonly first: number;
  readonly note: string;
  readonly records: readonly StoredRecord[];
}

/** Which records a scan returns; an absent field matches all. */
export interface ScanFilter {
  /** Least index. */
  readonly from?: number;
  /** The index that ends the scan, itself left out. */
  readonly to?: number;
  readonly session?: string;
  readonly kind?: string;
  /** `false` leaves all bodies out, which are then empty: headers are there where bodies are archived and gone. */
  readonly bodies?: boolean;
}

/** A size of the log and the note of the head there. */
export interface LogHead {
  readonly size: number;
  readonly note: string;
}

/** Append-only log of one origin. It is kept by the host, and what it answers is believed by no one. */
export interface LogStore {
  /**
   * Stores all records of the batch, or none. The same batch again is acknowledged again, because its sender may have
   * lost the first answer.
   * @throws AUDIT_STORE_MISMATCH when another record is at an index, or the batch leaves a gap; AUDIT_RECORD_TOO_LARGE
   *   over a bound; AUDIT_STORE_UNAVAILABLE when the store cannot be written
   */
  append(batch: Batch): Promise<void>;
  /**
   * Keeps all other processes from appending until this one has, closes the store, or a minute is over. So whoever reads the log next can
   * continue it, however busily another one writes. Absent in a store that one process uses.
   * @throws AUDIT_STORE_UNAVAILABLE when the store cannot be written, or another process has the same
   */
  hold?(): Promise<void>;
  /** `null` for an empty log. @throws AUDIT_STORE_UNAVAILABLE when the store cannot be read */
  head(): Promise<LogHead | null>;
  /**
   * Keeps a head with the signatures of the log and of witnesses, unless one of the same size or a newer one is kept. It does not
   * wait for the disk: a loss of power may take it.
   * @throws AUDIT_RECORD_TOO_LARGE for a note over {@link COSIGNED_NOTE_BYTES}; AUDIT_STORE_UNAVAILABLE when the store cannot be written
   */
  keepCosigned(head: LogHead): Promise<void>;
  /** The newest head that was kept with its cosignatures, or `null`. @throws AUDIT_STORE_UNAVAILABLE when the store cannot be read */
  cosigned(): Promise<LogHead | null>;
  /** Index of the newest record of a kind that not every call writes. @throws AUDIT_STORE_UNAVAILABLE when the store cannot be read */
  latest(kind: string): Promise<number | null>;
  /**
   * The matching records in pieces of at most {@link PIECE_RECORDS}, in rising order of their indexes, as of the moment
   * of the call.
   * @throws AUDIT_STORE_UNAVAILABLE when the store cannot be read; AUDIT_STORE_DAMAGED when it holds what no append
   *   stored
   */
  scan(filter: ScanFilter): AsyncIterable<readonly IndexedRecord[]>;
  /**
   * The 256 hashes of a complete hash tile (8192 bytes), or those of its present part; empty where there is none (C2SP
   * tlog-tiles).
   * @throws AUDIT_STORE_UNAVAILABLE when the store cannot be read
   */
  tile(level: number, index: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** What a check reads of a log: a store's, or one that was exported. */
export interface ReadableLog {
  head(): Promise<LogHead | null>;
  scan(
    filter: Pick<ScanFilter, "to" | "bodies">,
  ): AsyncIterable<readonly Pick<IndexedRecord, "index" | "header" | "body">[]>;
  tile(level: number, index: number): Promise<Uint8Array>;
}

/** @throws AUDIT_RECORD_TOO_LARGE when the batch exceeds a bound; AUDIT_STORE_MISMATCH when it is none */
export function checkBatch({ first, note, records }: Batch): void {
  if (!Number.isSafeInteger(first) || first < 0 || records.length === 0)
    throw new CmcpError("AUDIT_STORE_MISMATCH", "a batch has a first index and at least one record");
  bound("first index and records of a batch", first + records.length, LOG_RECORDS);
  bound("records of a batch", records.length, BATCH_RECORDS);
  bound("bytes of a note", Buffer.byteLength(note), NOTE_BYTES);
  let bytes = 0;
  for (const { session, kind, header, body } of records) {
    const names = [Buffer.byteLength(session), Buffer.byteLength(kind)] as const;
    for (const name of names) bound("bytes of a record's session or kind", name, NAME_BYTES);
    bound("bytes of a record's header", header.length, HEADER_BYTES);
    bound("bytes of a record's body", body.length, BODY_BYTES);
    bytes += names[0] + names[1] + header.length + body.length;
  }
  bound("bytes of a batch", bytes, BATCH_BYTES);
}

/** @throws AUDIT_RECORD_TOO_LARGE when the note exceeds its bound */
export function checkCosigned({ note }: LogHead): void {
  bound("bytes of a cosigned note", Buffer.byteLength(note), COSIGNED_NOTE_BYTES);
}

function bound(what: string, value: number, limit: number): void {
  if (value > limit) throw new CmcpError("AUDIT_RECORD_TOO_LARGE", `${what}: at most ${limit}`);
}

/** @throws AUDIT_STORE_MISMATCH when a batch of this first index would leave a gap after `size` records */
export function refuseGap(first: number, size: number): void {
  if (first > size)
    throw new CmcpError("AUDIT_STORE_MISMATCH", `a batch begins at ${first}, and the audit store has ${size} records`);
}

/** The error for a batch of which the store holds another record. */
export function otherRecord(index: number): CmcpError {
  return new CmcpError("AUDIT_STORE_MISMATCH", `the audit store holds another record at ${index}`);
}
