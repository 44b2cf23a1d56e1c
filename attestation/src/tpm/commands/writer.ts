import { CmcpError } from "@cmcp/boundary";
import { MAX_MESSAGE_BYTES } from "../transport/transport.ts";

/** Writes the big-endian structures of a TPM command. A command that would grow too large throws `INTERNAL`. */
export class CommandWriter {
  readonly #bytes = new Uint8Array(MAX_MESSAGE_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #length = 0;

  u8(value: number): this {
    this.#view.setUint8(this.#advance(1), value);
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#advance(2), value);
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#advance(4), value);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.#advance(value.length));
    return this;
  }

  /** A `TPM2B_…`: a 16-bit length, then the bytes. */
  sized(value: Uint8Array): this {
    return this.u16(value.length).bytes(value);
  }

  /** What was written so far, as a copy. */
  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #advance(length: number): number {
    const start = this.#length;
    if (start + length > MAX_MESSAGE_BYTES)
      throw new CmcpError("INTERNAL", "a TPM command is larger than any TPM takes");
    this.#length += length;
    return start;
  }
}
