import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { CmcpError, fromBase64Url, toBase64Url } from "@cmcp/boundary";

const MAC_BYTES = 16;
const OFFSET_BYTES = 4;

/** What a cursor is bound to: one list of one session under one policy. */
export type CursorContext = readonly string[];

/** Cursors of lists: an offset with a MAC, so that a cursor works only for the list that it was issued for. */
export class Cursors {
  readonly #key = randomBytes(32);

  make(context: CursorContext, offset: number): string {
    const offsetBytes = Buffer.alloc(OFFSET_BYTES);
    offsetBytes.writeUInt32BE(offset);
    return toBase64Url(Buffer.concat([offsetBytes, this.#mac(context, offsetBytes)]));
  }

  /** @throws CmcpError `CURSOR_INVALID` if the cursor was not issued for this list, or the list has changed */
  read(context: CursorContext, cursor: string): number {
    const bytes = fromBase64Url(cursor);
    const offsetBytes = bytes?.subarray(0, OFFSET_BYTES);
    if (
      bytes === undefined ||
      offsetBytes === undefined ||
      bytes.length !== OFFSET_BYTES + MAC_BYTES ||
      !timingSafeEqual(this.#mac(context, offsetBytes), bytes.subarray(OFFSET_BYTES))
    ) {
      throw new CmcpError(
        "CURSOR_INVALID",
        "the cursor was not issued for this list, or the list has changed; start again without a cursor",
      );
    }
    return Buffer.from(offsetBytes).readUInt32BE();
  }

  #mac(context: CursorContext, offsetBytes: Uint8Array): Buffer {
    return createHmac("sha256", this.#key)
      .update(JSON.stringify(context))
      .update(offsetBytes)
      .digest()
      .subarray(0, MAC_BYTES);
  }
}
