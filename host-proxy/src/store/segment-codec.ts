import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { BATCH_BYTES } from "./log-store.ts";
import { malformedStore, type Segment } from "./segment.ts";

/** How a stored segment is encoded. */
export const FORM_PLAIN = 0;
export const FORM_ZSTD = 1;

/** Records, or bytes, at which a compacted segment is complete; the batch that reaches either is its last. */
export const SEGMENT_RECORDS = 256;
export const SEGMENT_FILL = 1024 * 1024;
/** Bytes of a segment when decoded: one short of complete, a batch, and the lengths that stand between their fields. */
export const SEGMENT_BYTES = SEGMENT_FILL + BATCH_BYTES + 1024 * 1024;

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

/** Compresses a segment's bytes on a thread of the process's pool. */
export async function compressSegment(bytes: Uint8Array): Promise<Uint8Array> {
  return compress(bytes, { params: PARAMS, chunkSize: CHUNK_BYTES });
}

/**
 * The segment's records, decompressed on a thread of the process's pool. No more than {@link SEGMENT_BYTES} are made.
 * @throws AUDIT_STORE_MISMATCH when they are not what was stored
 */
export async function decodeSegment(segment: EncodedSegment): Promise<Segment> {
  if (isPlain(segment)) return segment;
  const bytes = await decompress(segment.bytes, outputOf(segment)).catch(damaged(segment));
  return { first: segment.first, count: segment.count, bytes };
}

/** The same at once, for who is in a transaction. */
export function decodeSegmentSync(segment: EncodedSegment): Segment {
  if (isPlain(segment)) return segment;
  try {
    const bytes = zstdDecompressSync(segment.bytes, outputOf(segment));
    return { first: segment.first, count: segment.count, bytes };
  } catch (thrown) {
    return damaged(segment)(thrown);
  }
}

function outputOf({ length }: EncodedSegment): { readonly maxOutputLength: number; readonly chunkSize: number } {
  // One byte more tells a segment that is longer than it says.
  return { maxOutputLength: length, chunkSize: Math.max(64, Math.min(CHUNK_BYTES, length + 1)) };
}

function isPlain({ first, form, length }: EncodedSegment): boolean {
  if (form !== FORM_PLAIN && form !== FORM_ZSTD) throw malformedStore(`a segment of an unknown form at ${first}`);
  if (length < 1 || length > SEGMENT_BYTES) throw malformedStore(`a segment of ${length} bytes at ${first}`);
  return form === FORM_PLAIN;
}

function damaged({ first }: EncodedSegment): (thrown: unknown) => never {
  return (thrown) => {
    throw malformedStore(`a damaged segment at ${first}`, thrown);
  };
}
