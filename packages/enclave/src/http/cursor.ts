import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { CmcpError, fromBase64Url, toBase64Url } from "@cmcp/boundary";

const MAC_BYTES = 16;
const OFFSET_BYTES = 4;

/** What a cursor is good for: one list of one session, while the same policy and sensitivity choose it. */
export type CursorContext = readonly string[];

/** Cursors of lists: a place in one list, good for who was given it and nobody else. */
export class Cursors {
  readonly #key = randomBytes(32);

  make(context: CursorContext, offset: number): string {
    const offsetBytes = Buffer.alloc(OFFSET_BYTES);
    offsetBytes.writeUInt32BE(offset);
    return toBase64Url(Buffer.concat([offsetBytes, this.#mac(context, offsetBytes)]));
  }

  /** @throws CmcpError `CURSOR_INVALID` for one that was not given for this list, or is of a list that has changed */
  read(context: CursorContext, cursor: string): number {
    const bytes = fromBase64Url(cursor);
    const offsetBytes = bytes?.subarray(0, OFFSET_BYTES);
    if (
      bytes === undefined ||
      offsetBytes === undefined ||
      bytes.length !== OFFSET_BYTES + MAC_BYTES ||
      !timingSafeEqual(this.#mac(context, offsetBytes), bytes.subarray(OFFSET_BYTES))
    ) {
      throw new CmcpError("CURSOR_INVALID", "the cursor is not of this list");
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
