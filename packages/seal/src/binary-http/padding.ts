import { concatBytes } from "../bytes.ts";

/** Bytes of the smallest padded message. */
export const MIN_PADDED_BYTES = 512;
/** Bytes of one piece of padding. */
const PIECE_BYTES = 16_384;

/** What a message of so many bytes is padded to: the next power of two, from {@link MIN_PADDED_BYTES}. */
export function paddedLength(length: number): number {
  let padded = MIN_PADDED_BYTES;
  while (padded < length) padded *= 2;
  return padded;
}

/** A message with padding (RFC 9292 section 3.8). It must have its content and trailer, even if they are empty. */
export function padMessage(message: Uint8Array): Uint8Array {
  return concatBytes(message, new Uint8Array(paddedLength(message.length) - message.length));
}

/**
 * A message in pieces, with padding after the last. What is on the way already shows the size of each piece; padding hides
 * the sum alone.
 */
export async function* padStream(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let length = 0;
  for await (const piece of pieces) {
    length += piece.length;
    yield piece;
  }
  for (let left = paddedLength(length) - length; left > 0; left -= PIECE_BYTES)
    yield new Uint8Array(Math.min(left, PIECE_BYTES));
}
