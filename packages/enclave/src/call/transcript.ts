import { createHash } from "node:crypto";
import { canonicalText, type JsonObject } from "@cmcp/boundary";

/**
 * Hashes the messages of one call in one direction, in order, each without `jsonrpc` and `id`. It keeps only a running SHA-256 over their
 * canonical JSON array (RFC 8785).
 */
export class Transcript {
  readonly #hash = createHash("sha256");
  #length = 0;

  /** Number of messages. */
  get length(): number {
    return this.#length;
  }

  /** Adds a message, before it is delivered. */
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
