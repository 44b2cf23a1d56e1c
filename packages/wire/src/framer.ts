import { CmcpError, examine, untrusted, type Untrusted } from "@cmcp/boundary";
import { LENGTH_PREFIX_BYTES, MAX_FRAME_BYTES } from "./limits.ts";

/**
 * Splits a byte stream into frame payloads. Holds at most one incomplete frame, {@link MAX_FRAME_BYTES} bytes.
 * Any chunking of the same bytes gives the same payloads.
 */
export class Framer {
  readonly #prefix = Buffer.alloc(LENGTH_PREFIX_BYTES);
  #prefixFilled = 0;
  #payload: Uint8Array | undefined;
  #payloadFilled = 0;

  /** True when the bytes so far end between two frames. */
  get atBoundary(): boolean {
    return this.#prefixFilled === 0;
  }

  /**
   * Takes the next bytes and hands every payload they complete to `onPayload`, in order. Payloads may be views of
   * `chunk`.
   *
   * @throws CmcpError `WIRE_FRAME_TOO_LARGE`, `WIRE_MALFORMED` for an empty frame; the framer is then of no more use.
   */
  push(chunk: Untrusted<Uint8Array>, onPayload: (payload: Untrusted<Uint8Array>) => void): void {
    const bytes = examine(chunk);
    let at = 0;
    while (at < bytes.length) {
      if (this.#prefixFilled < LENGTH_PREFIX_BYTES) {
        at = this.#fillPrefix(bytes, at);
        continue;
      }
      const length = this.#length();
      if (this.#payload === undefined && bytes.length - at >= length) {
        this.#prefixFilled = 0;
        onPayload(untrusted(bytes.subarray(at, at + length)));
        at += length;
        continue;
      }
      at = this.#fillPayload(bytes, at, length, onPayload);
    }
  }

  #fillPrefix(bytes: Uint8Array, start: number): number {
    let at = start;
    while (this.#prefixFilled < LENGTH_PREFIX_BYTES && at < bytes.length) {
      this.#prefix[this.#prefixFilled] = bytes[at] ?? 0;
      this.#prefixFilled += 1;
      at += 1;
    }
    // Checked as soon as it is known, before anything is allocated for it.
    if (this.#prefixFilled === LENGTH_PREFIX_BYTES) this.#length();
    return at;
  }

  #length(): number {
    const length = this.#prefix.readUInt32BE(0);
    if (length > MAX_FRAME_BYTES)
      throw new CmcpError("WIRE_FRAME_TOO_LARGE", `a frame claims ${length} bytes, limit ${MAX_FRAME_BYTES}`);
    if (length === 0) throw new CmcpError("WIRE_MALFORMED", "a frame is empty");
    return length;
  }

  #fillPayload(
    bytes: Uint8Array,
    at: number,
    length: number,
    onPayload: (payload: Untrusted<Uint8Array>) => void,
  ): number {
    const payload = (this.#payload ??= new Uint8Array(length));
    const take = Math.min(length - this.#payloadFilled, bytes.length - at);
    payload.set(bytes.subarray(at, at + take), this.#payloadFilled);
    this.#payloadFilled += take;
    if (this.#payloadFilled === length) {
      this.#prefixFilled = 0;
      this.#payload = undefined;
      this.#payloadFilled = 0;
      onPayload(untrusted(payload));
    }
    return at + take;
  }
}
