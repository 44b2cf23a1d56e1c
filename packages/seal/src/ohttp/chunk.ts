/** Chunks of Chunked Oblivious HTTP (draft-ietf-ohai-chunked-ohttp-08 sections 4 to 6), the same in both directions. */
import { CmcpError } from "@cmcp/boundary";
import { concatBytes, EMPTY, latin1 } from "../bytes.ts";
import type { PieceReader } from "../piece-reader.ts";
import { TAG_BYTES } from "../platform.ts";
import { varint } from "../varint.ts";

/** Most bytes of plaintext of a chunk (section 3). */
export const MAX_CHUNK_BYTES = 16_384;
const MAX_SEALED_BYTES = MAX_CHUNK_BYTES + TAG_BYTES;
/** What is authenticated beside the final chunk (section 6.1). Beside the others nothing is. */
const FINAL = latin1("final");

/** Seals the next chunk. */
export type SealChunk = (plaintext: Uint8Array, aad: Uint8Array) => Uint8Array;
/** Opens the next chunk; `null` where it is not the next one. */
export type OpenChunk = (sealed: Uint8Array, aad: Uint8Array) => Uint8Array | null;

/** Every piece as one chunk or more as soon as it is there, and the final chunk, of no bytes, when the pieces end. */
export async function* sealChunks(
  pieces: AsyncIterable<Uint8Array>,
  seal: SealChunk,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of pieces)
    for (let at = 0; at < piece.length; at += MAX_CHUNK_BYTES) {
      const sealed = seal(piece.subarray(at, at + MAX_CHUNK_BYTES), EMPTY);
      yield concatBytes(varint(sealed.length), sealed);
    }
  yield concatBytes(varint(0), seal(EMPTY, FINAL));
}

/**
 * The plaintext of each chunk as soon as it has opened. It ends after the final chunk has opened, and in no other way.
 *
 * @param truncated the error for a stream that ends before the final chunk begins
 * @throws CmcpError `SEAL_NOT_OPENED` for a chunk that is not the next one, or is above the bound; the given one
 */
export async function* openChunks(
  reader: PieceReader,
  open: OpenChunk,
  truncated: () => CmcpError,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (;;) {
      const length = await reader.varint();
      if (length === null) throw truncated();
      if (length === 0) break;
      // Section 6: a chunk without data that is not the final one is as one that does not open.
      if (length <= TAG_BYTES || length > MAX_SEALED_BYTES) throw notOpened();
      const sealed = await reader.take(length);
      if (sealed === null) throw truncated();
      yield open(sealed, EMPTY) ?? refuse();
    }
    const last = await reader.rest(MAX_SEALED_BYTES);
    const plaintext = (last === null ? null : open(last, FINAL)) ?? refuse();
    if (plaintext.length > 0) yield plaintext;
  } finally {
    await reader.close();
  }
}

/** The one error of whatever does not open: which part of it was wrong is not said. */
export function notOpened(): CmcpError {
  return new CmcpError("SEAL_NOT_OPENED", "the sealed message does not open");
}

function refuse(): never {
  throw notOpened();
}
