import { CmcpError } from "./error.ts";

/** Bytes held for all others together: what may wait at one time to be complete, to be examined or to be read. */
export const MAX_BUFFERED_BYTES = 256 * 1024 * 1024;

/**
 * Counts the bytes this process holds for others, and bounds them. A holder (a principal, a tool server) may have at
 * most as much as stays free beside it, the dynamic threshold of shared switch buffers: alone it gets half, with one
 * other a third, and whoever comes next finds room.
 */
export class BufferedBytes {
  readonly max: number;
  readonly #holders = new Map<string, number>();
  #held = 0;

  constructor(max = MAX_BUFFERED_BYTES) {
    this.max = max;
  }

  /** Bytes held now. */
  get held(): number {
    return this.#held;
  }

  /** What one request, answer or connection holds, as part of what `holder` has. */
  share(holder: string): BufferShare {
    return new BufferShare(holder, (name, bytes) => this.#move(name, bytes));
  }

  /** @throws CmcpError `OVERLOADED` for more than the holder may have; less is never refused */
  #move(holder: string, bytes: number): void {
    const own = (this.#holders.get(holder) ?? 0) + bytes;
    if (bytes > 0 && own > this.max - (this.#held + bytes))
      throw new CmcpError("OVERLOADED", "more bytes wait in the gateway than it holds at one time");
    this.#held += bytes;
    if (own === 0) this.#holders.delete(holder);
    else this.#holders.set(holder, own);
  }
}

/** Bytes that are held together and given up together. */
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

  /** Holds `bytes` more. After {@link free} nothing is held, and nothing refused. @throws CmcpError `OVERLOADED` */
  take(bytes: number): void {
    if (this.#freed) return;
    this.#move(this.#holder, bytes);
    this.#held += bytes;
  }

  /** Gives `bytes` back; never more than are held. */
  give(bytes: number): void {
    const given = Math.min(bytes, this.#held);
    this.#held -= given;
    this.#move(this.#holder, -given);
  }

  /** Gives back all but `bytes`. */
  keep(bytes: number): void {
    this.give(this.#held - Math.min(bytes, this.#held));
  }

  /** Becomes part of what another has: of the principal, once it is known. @throws CmcpError `OVERLOADED` */
  belongTo(holder: string): void {
    const held = this.#held;
    this.give(held);
    this.#holder = holder;
    this.take(held);
  }

  /** Gives everything back for good. */
  free(): void {
    this.keep(0);
    this.#freed = true;
  }
}
