import { ByteReader, bytesEqual, CmcpError } from "@cmcp/boundary";
import {
  PIECE_BYTES,
  PIECE_RECORDS,
  otherRecord,
  type Batch,
  type IndexedRecord,
  type ScanFilter,
  type StoredRecord,
} from "./log-store.ts";

/**
 * Consecutive records as a store keeps them: each is `u8 len kind ‖ u8 len session ‖ u16be len header ‖ header ‖ u32be
 * len body ‖ body`, as in the body of an append.
 */
export function encodeSegment(records: readonly StoredRecord[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { kind, session, header, body } of records) {
    const names = [Buffer.from(kind), Buffer.from(session)] as const;
    const opening = Buffer.alloc(4 + names[0].length + names[1].length);
    let offset = 0;
    for (const name of names) {
      offset = opening.writeUInt8(name.length, offset);
      offset += name.copy(opening, offset);
    }
    opening.writeUInt16BE(header.length, offset);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    parts.push(opening, header, length, body);
  }
  return Buffer.concat(parts);
}

const NO_BYTES = new Uint8Array(0);

/** Consecutive records of a store, not compressed. */
export interface Segment {
  /** Index of the first record. */
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/**
 * The records of a segment that the filter asks for, views of its bytes.
 * @throws AUDIT_STORE_DAMAGED for bytes that {@link encodeSegment} did not make
 */
export function* segmentRecords({ first, count, bytes }: Segment, filter: ScanFilter = {}): Generator<IndexedRecord> {
  const reader = new ByteReader(bytes, `the audit store's segment at ${first}`, "big", "AUDIT_STORE_DAMAGED");
  const wanted = { kind: nameBytes(filter.kind), session: nameBytes(filter.session) };
  const from = filter.from ?? first;
  const to = filter.to ?? first + count;
  for (let index = first; index < first + count; index += 1) {
    const kind = reader.take(reader.u8());
    const session = reader.take(reader.u8());
    const header = reader.take(reader.u16());
    const body = reader.take(reader.u32());
    if (index < from || index >= to || !matches(kind, wanted.kind) || !matches(session, wanted.session)) continue;
    yield { index, kind: text(kind), session: text(session), header, body: filter.bodies === false ? NO_BYTES : body };
  }
  reader.end();
}

/** What a filter asks for of a segment, in the pieces of a scan. */
export function* segmentPieces(segment: Segment, filter: ScanFilter): Generator<readonly IndexedRecord[]> {
  let piece: IndexedRecord[] = [];
  let bytes = 0;
  for (const record of segmentRecords(segment, filter)) {
    const length = record.header.length + record.body.length;
    if (piece.length >= PIECE_RECORDS || (piece.length > 0 && bytes + length > PIECE_BYTES)) {
      yield piece;
      [piece, bytes] = [[], 0];
    }
    piece.push(record);
    bytes += length;
  }
  if (piece.length > 0) yield piece;
}

/**
 * Compares a batch with what is held in its place.
 * @param segments those that hold its indexes, in rising order
 * @throws AUDIT_STORE_MISMATCH naming the first index at which another record is held, or none
 */
export function compareHeld({ first, records }: Batch, segments: Iterable<Segment>): void {
  let index = first;
  for (const segment of segments)
    for (const held of segmentRecords(segment, { from: first, to: first + records.length })) {
      const record = records[index - first];
      const same =
        record !== undefined &&
        held.index === index &&
        held.kind === record.kind &&
        held.session === record.session &&
        bytesEqual(held.header, record.header) &&
        Buffer.compare(held.body, record.body) === 0;
      if (!same) throw otherRecord(index);
      index += 1;
    }
  // A batch that was stored was stored as a whole.
  if (index !== first + records.length) throw otherRecord(index);
}

function nameBytes(name: string | undefined): Uint8Array | null {
  return name === undefined ? null : Buffer.from(name);
}

function matches(name: Uint8Array, wanted: Uint8Array | null): boolean {
  return wanted === null || Buffer.compare(name, wanted) === 0;
}

function text(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString();
}

/** The error for a store that holds what no append stored. */
export function malformedStore(what: string, cause?: unknown): CmcpError {
  return new CmcpError("AUDIT_STORE_DAMAGED", `the audit store holds ${what}`, { cause });
}
