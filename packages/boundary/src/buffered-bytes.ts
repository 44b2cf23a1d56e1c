import { CmcpError } from "./error.ts";

/** Most bytes this process buffers at one time for all principals and tool servers together. */
export const MAX_BUFFERED_BYTES = 256 * 1024 * 1024;

/**
 * Counts and bounds the bytes this process buffers. A holder (a principal, a tool server) may buffer at most as many
 * bytes
 * as stay free, the dynamic threshold of shared switch buffers (Choudhury and Hahne 1998). A single holder gets half,
 * two
 * get a third each, and the next one finds room.
 */
export class BufferedBytes {
  readonly max: number;
  readonly #holders = new Map<string, number>();
  #held = 0;

  constructor(max = MAX_BUFFERED_BYTES) {
    this.max = max;
  }

  /** Bytes buffered now. */
  get held(): number {
    return this.#held;
  }

  /** The share of one request, response or connection, counted for `holder`. */
  share(holder: string): BufferShare {
    return new BufferShare(holder, (name, bytes) => this.#move(name, bytes));
  }

  /** @throws CmcpError `OVERLOADED` if the holder would exceed its threshold; a release never throws */
  #move(holder: string, bytes: number): void {
    const own = (this.#holders.get(holder) ?? 0) + bytes;
    if (bytes > 0 && own > this.max - (this.#held + bytes))
      throw new CmcpError("OVERLOADED", "the gateway has no buffer space left for this caller; try again later");
    this.#held += bytes;
    if (own === 0) this.#holders.delete(holder);
    else this.#holders.set(holder, own);
  }
}

/** The buffered bytes of one request, response or connection. */
export class BufferShare {
  readonly #move: (holder: string, bytes: number) => void;
  #holder: string;
  #held = 0;
  #freed = false;

  /** Made by {@link BufferedBytes.share}. */
  constructor(holder: string, move: (holder: string, bytes: number) => void) {
    this.#holder = holder;
    this.#move = move;
  }

  /** Counts `bytes` more. Does nothing after {@link free}. @throws CmcpError `OVERLOADED` */
  take(bytes: number): void {
    if (this.#freed) return;
    this.#move(this.#holder, bytes);
    this.#held += bytes;
  }

  /** Counts `bytes` less, at most those that are counted. */
  release(bytes: number): void {
    const released = Math.min(bytes, this.#held);
    this.#held -= released;
    this.#move(this.#holder, -released);
  }

  /** Counts at most `bytes`. */
  shrinkTo(bytes: number): void {
    this.release(this.#held - Math.min(bytes, this.#held));
  }

  /** Counts the share for another holder: the principal, once it is known. @throws CmcpError `OVERLOADED` */
  belongTo(holder: string): void {
    const held = this.#held;
    this.release(held);
    this.#holder = holder;
    this.take(held);
  }

  /** Counts nothing, for good. */
  free(): void {
    this.shrinkTo(0);
    this.#freed = true;
  }
}
