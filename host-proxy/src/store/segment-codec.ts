import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { BATCH_BYTES } from "./log-store.ts";
import { malformedStore, type Segment } from "./segment.ts";

/** How a stored segment is encoded. */
export const FORM_PLAIN = 0;
export const FORM_ZSTD = 1;
/** SHA-256 of a file that has the segment as it was compacted, and the same compressed without bodies. */
export const FORM_ARCHIVED = 2;
export const DIGEST_BYTES = 32;

/** Records, or bytes, at which a compacted segment is complete; the batch that reaches either is its last. */
export const SEGMENT_RECORDS = 256;
export const SEGMENT_FILL = 1024 * 1024;
/** Bytes of a segment when decoded: one short of complete, a batch, and the lengths that stand between their fields. */
export const SEGMENT_BYTES = SEGMENT_FILL + BATCH_BYTES + 1024 * 1024;
/** Bytes of a segment when compressed: what does not compress grows by a little. */
export const COMPRESSED_BYTES = SEGMENT_BYTES + SEGMENT_BYTES / 128 + 64 * 1024;

/**
 * Level 1 makes fewer bytes of records than levels 3 to 12 in less time: hashes do not repeat (`test/bench/store-size.ts`). The
 * checksum tells a damaged disk from a changed store.
 */
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 };

/** Output bytes made at a time: with Node's 16 KiB a segment goes to the pool and back two dozen times. */
const CHUNK_BYTES = 512 * 1024;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** A segment as a table holds it. */
export interface EncodedSegment extends Segment {
  readonly form: number;
  /** Bytes when decoded. */
  readonly length: number;
  /** The note of its last batch. */
  readonly note: string;
  /** Where the engine keeps it, if not all in one place. Segments of different parts are not put together. */
  readonly part?: string;
}

/** Reads the compressed records of an archived segment. */
export type ArchiveReader = (segment: EncodedSegment) => Promise<Uint8Array>;

/** Compresses a segment's bytes on a thread of the process's pool. */
export async function compressSegment(bytes: Uint8Array): Promise<Uint8Array> {
  return compress(bytes, { params: PARAMS, chunkSize: CHUNK_BYTES });
}

/**
 * The segment's records, decompressed on a thread of the process's pool. No more than {@link SEGMENT_BYTES} are made.
 * @param archived reads the compressed records of an archived one; `null` where the bodies are not asked for
 * @throws AUDIT_STORE_DAMAGED when they are not what was stored; what `archived` throws
 */
export async function decodeSegment(segment: EncodedSegment, archived: ArchiveReader | null): Promise<Segment> {
  checkSegment(segment);
  if (segment.form === FORM_PLAIN) return segment;
  const input = isArchived(segment) && archived !== null ? await archived(segment) : compressedRecords(segment);
  const bytes = await decompress(input, outputOf(segment)).catch(damaged(segment));
  return { first: segment.first, count: segment.count, bytes };
}

/** The same at once, for who is in a transaction; of an archived segment without the bodies. */
export function decodeSegmentSync(segment: EncodedSegment): Segment {
  checkSegment(segment);
  if (segment.form === FORM_PLAIN) return segment;
  try {
    const bytes = zstdDecompressSync(compressedRecords(segment), outputOf(segment));
    return { first: segment.first, count: segment.count, bytes };
  } catch (thrown) {
    return damaged(segment)(thrown);
  }
}

/** Whether the segment's bodies are in a file. */
export function isArchived({ form }: Pick<EncodedSegment, "form">): boolean {
  return form === FORM_ARCHIVED;
}

function compressedRecords(segment: EncodedSegment): Uint8Array {
  return isArchived(segment) ? segment.bytes.subarray(DIGEST_BYTES) : segment.bytes;
}

function outputOf({ length }: EncodedSegment): { readonly maxOutputLength: number; readonly chunkSize: number } {
  // One byte more tells a segment that is longer than it says.
  return { maxOutputLength: length, chunkSize: Math.max(64, Math.min(CHUNK_BYTES, length + 1)) };
}

function checkSegment({ first, form, length }: EncodedSegment): void {
  if (![FORM_PLAIN, FORM_ZSTD, FORM_ARCHIVED].includes(form))
    throw malformedStore(`a segment of an unknown form at ${first}`);
  if (length < 1 || length > SEGMENT_BYTES) throw malformedStore(`a segment of ${length} bytes at ${first}`);
}

function damaged({ first }: EncodedSegment): (thrown: unknown) => never {
  return (thrown) => {
    throw malformedStore(`a damaged segment at ${first}`, thrown);
  };
}
