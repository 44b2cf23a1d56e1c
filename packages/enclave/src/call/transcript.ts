import { createHash } from "node:crypto";
import { canonicalText, type JsonObject } from "@cmcp/boundary";

/**
 * The messages of one call in one direction, in order, as far as the record commits to them: each without `jsonrpc` and `id`.
 * Nothing is kept but a running SHA-256 over the canonical JSON array (RFC 8785).
 */
export class Transcript {
  readonly #hash = createHash("sha256");
  #length = 0;

  /** Messages so far. */
  get length(): number {
    return this.#length;
  }

  /** Adds a message that is about to be handed over. */
  add(message: JsonObject): void {
    this.#hash.update(`${this.#length === 0 ? "[" : ","}${canonicalText(message)}`);
    this.#length += 1;
  }

  /** `sha256:` and lowercase hex of the array so far. */
  digest(): string {
    return `sha256:${this.#hash
      .copy()
      .update(this.#length === 0 ? "[]" : "]")
      .digest("hex")}`;
  }
}
