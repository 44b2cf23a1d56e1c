import { EMPTY } from "./bytes.ts";

/**
 * Reads a stream of bytes, which somebody else cut into pieces, in portions of the reader's choosing. It holds one piece
 * and at most one portion. What it gives can be a view of a piece.
 */
export class PieceReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = EMPTY;
  #at = 0;
  #ended = false;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Whether no byte is left. */
  async ended(): Promise<boolean> {
    while (this.#at === this.#piece.length && !this.#ended) {
      const next = await this.#pieces.next();
      this.#piece = next.done === true ? EMPTY : next.value;
      this.#at = 0;
      this.#ended = next.done === true;
    }
    return this.#ended;
  }

  /** The next bytes that are there, at least one and at most `limit`; `null` at the end. */
  async some(limit: number): Promise<Uint8Array | null> {
    if (await this.ended()) return null;
    const taken = this.#piece.subarray(this.#at, this.#at + limit);
    this.#at += taken.length;
    return taken;
  }

  /** Exactly `length` bytes; `null` where the stream ends before. The caller bounds `length`: so many bytes are held. */
  async take(length: number): Promise<Uint8Array | null> {
    if (length === 0) return EMPTY;
    const first = await this.some(length);
    if (first === null || first.length === length) return first;
    const whole = new Uint8Array(length);
    whole.set(first);
    for (let at = first.length; at < length; ) {
      const next = await this.some(length - at);
      if (next === null) return null;
      whole.set(next, at);
      at += next.length;
    }
    return whole;
  }

  /** Everything to the end; `null` where that is more than `limit` bytes. */
  async rest(limit: number): Promise<Uint8Array | null> {
    const whole = new Uint8Array(limit);
    for (let at = 0; ; ) {
      const next = await this.some(limit - at + 1);
      if (next === null) return whole.subarray(0, at);
      if (at + next.length > limit) return null;
      whole.set(next, at);
      at += next.length;
    }
  }

  /**
   * A variable-length integer (RFC 9000 section 16); `null` where the stream ends before. One of eight bytes above 2^53 is
   * not exact: every bound is below.
   */
  async varint(): Promise<number | null> {
    const first = (await this.some(1))?.[0];
    if (first === undefined) return null;
    const rest = await this.take((1 << (first >> 6)) - 1);
    if (rest === null) return null;
    return rest.reduce((value, byte) => value * 256 + byte, first & 0x3f);
  }

  /** Tells the source that nothing more is read, and reads nothing more. */
  async close(): Promise<void> {
    this.#piece = EMPTY;
    this.#at = 0;
    this.#ended = true;
    await this.#pieces.return?.();
  }
}
