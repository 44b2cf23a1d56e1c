import { CmcpError } from "@cmcp/boundary";

const LINE_FEED = 0x0a;

/**
 * Cuts a byte stream at line feeds, as MCP frames messages over stdio. Holds at most one line that is not whole;
 * empty lines are nothing.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the line that is not whole yet. */
  get held(): number {
    return this.#held;
  }

  /**
   * The lines that `chunk` completes, without their line feeds.
   * @throws CmcpError `RESPONSE_SIZE_EXCEEDED` for a line over the bound
   */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      const line = this.#whole(chunk.subarray(from, end));
      from = end + 1;
      if (line.byteLength > 0) yield line;
    }
    this.#hold(chunk.subarray(from));
  }

  #hold(part: Uint8Array): void {
    this.#held += part.byteLength;
    if (this.#held > this.#maxBytes)
      throw new CmcpError(
        "RESPONSE_SIZE_EXCEEDED",
        `a message of the stdio server is larger than ${this.#maxBytes} bytes`,
        { detail: { limit: this.#maxBytes } },
      );
    if (part.byteLength > 0) this.#parts.push(part);
  }

  #whole(last: Uint8Array): Uint8Array {
    this.#hold(last);
    const line = this.#parts.length === 1 ? (this.#parts[0] ?? last) : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#held = 0;
    return line;
  }
}
