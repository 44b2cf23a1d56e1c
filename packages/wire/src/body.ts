import { CmcpError, examine, type Untrusted } from "@cmcp/boundary";
import { READ_AHEAD_BYTES, READ_AHEAD_FRAMES } from "./limits.ts";

type Chunk = Untrusted<Uint8Array>;

/** What a body needs of the stream it comes from. */
export interface BodySource {
  /** Stop, or go on, delivering frames. */
  pause(): void;
  resume(): void;
  /** The reader left before the end. */
  abandoned(): void;
}

/** Received body frames waiting for their one reader; pauses the stream when the reader is slower than the peer. */
export class ReceivedBody implements AsyncIterableIterator<Chunk> {
  readonly #source: BodySource;
  readonly #chunks: Chunk[] = [];
  #held = 0;
  #paused = false;
  #discarding = false;
  #ending: { error: CmcpError | undefined } | undefined;
  #reader: { resolve(result: IteratorResult<Chunk, undefined>): void; reject(error: CmcpError): void } | undefined;

  constructor(source: BodySource) {
    this.#source = source;
  }

  /** Adds a frame's bytes. */
  push(chunk: Chunk): void {
    if (this.#discarding || this.#ending !== undefined) return;
    if (this.#reader !== undefined) {
      const reader = this.#reader;
      this.#reader = undefined;
      reader.resolve({ done: false, value: chunk });
      return;
    }
    this.#chunks.push(chunk);
    this.#held += examine(chunk).length;
    if (!this.#paused && (this.#held >= READ_AHEAD_BYTES || this.#chunks.length >= READ_AHEAD_FRAMES)) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  /** Ends the body: normally, or with an error that the reader gets after what was received before it. */
  finish(error?: CmcpError): void {
    if (this.#ending !== undefined) return;
    this.#ending = { error };
    // The stream may belong to another exchange from here on.
    this.#flow();
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) return;
    if (error === undefined) reader.resolve({ done: true, value: undefined });
    else reader.reject(error);
  }

  /**
   * Takes the rest of the body if all of it has arrived and no reader waits; else `null`.
   */
  whole(): readonly Chunk[] | null {
    if (this.#ending === undefined || this.#ending.error !== undefined) return null;
    this.#held = 0;
    return this.#chunks.splice(0);
  }

  /** Drops the buffered chunks and all that arrive later. */
  discard(): void {
    this.#discarding = true;
    this.#chunks.length = 0;
    this.#held = 0;
    this.#flow();
  }

  next(): Promise<IteratorResult<Chunk, undefined>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#held -= examine(chunk).length;
      if (this.#held < READ_AHEAD_BYTES / 2 && this.#chunks.length < READ_AHEAD_FRAMES / 2) this.#flow();
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#ending?.error !== undefined) return Promise.reject(this.#ending.error);
    if (this.#ending !== undefined || this.#discarding) return Promise.resolve({ done: true, value: undefined });
    if (this.#reader !== undefined)
      return Promise.reject(new CmcpError("WIRE_UNEXPECTED_FRAME", "a body has one reader"));
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  async return(): Promise<IteratorResult<Chunk, undefined>> {
    const early = this.#ending === undefined && !this.#discarding;
    this.discard();
    if (early) this.#source.abandoned();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #flow(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#source.resume();
  }
}
