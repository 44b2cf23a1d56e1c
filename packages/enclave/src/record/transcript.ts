import type { Hash } from "node:crypto";
import { canonicalText } from "@cmcp/boundary";

/**
 * Commits to messages of one call, in order, each without `jsonrpc` and `id`: a running SHA-256 over their canonical
 * JSON array (RFC 8785). It keeps the array itself only where auditors are to have it.
 */
export class Transcript {
  readonly #begin: () => Hash;
  #hash: Hash | null = null;
  #length = 0;
  /** The array so far, without its end; `null` where it is not kept, or has become too long. */
  #text: string | null;
  #room: number;

  /**
   * @param begin makes the hash with what stands before the array
   * @param room most characters of the array that are kept; 0 keeps none
   */
  constructor(begin: () => Hash, room = 0) {
    this.#begin = begin;
    this.#room = room;
    this.#text = room === 0 ? null : "";
  }

  /** Number of messages. */
  get length(): number {
    return this.#length;
  }

  /** The canonical JSON of the array; `null` where it was not kept, or has no message. */
  get text(): string | null {
    return this.#text === null || this.#length === 0 ? null : `${this.#text}]`;
  }

  /**
   * Adds a message, before it is delivered.
   * @returns takes it back, for one that could not be handed over; once another message follows, it stays
   */
  add(message: object): () => void {
    const [hash, text, room] = [this.#hash?.copy() ?? null, this.#text, this.#room];
    const piece = `${this.#length === 0 ? "[" : ","}${canonicalText(message)}`;
    this.#started().update(piece);
    this.#length += 1;
    this.#room -= piece.length;
    if (this.#text !== null) this.#text = this.#room <= 0 ? null : this.#text + piece;
    const length = this.#length;
    return () => {
      if (this.#length !== length) return;
      [this.#hash, this.#text, this.#room, this.#length] = [hash, text, room, length - 1];
    };
  }

  /** `sha256:` and lowercase hex of the array so far. */
  digest(): string {
    return `sha256:${this.#started()
      .copy()
      .update(this.#length === 0 ? "[]" : "]")
      .digest("hex")}`;
  }

  #started(): Hash {
    this.#hash ??= this.#begin();
    return this.#hash;
  }
}
