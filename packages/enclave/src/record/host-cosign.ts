import { CmcpError, examine } from "@cmcp/boundary";
import { MAX_NOTE_BYTES } from "@cmcp/log";
import type { ExchangePool } from "@cmcp/wire";
import type { Cosign } from "./witnesses.ts";

/** Asks the host for cosignatures. Its answer is bounded, and nothing in it is believed here. Whatever fails is an error. */
export function hostCosign(pool: ExchangePool): Cosign {
  return async (note, signal) => {
    const exchange = await pool.open({ t: "cosign" }, signal);
    try {
      await exchange.write(Buffer.from(note));
      await exchange.end();
      await exchange.head;
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const part of exchange.body) {
        const chunk = examine(part);
        length += chunk.length;
        if (length > MAX_NOTE_BYTES) throw new CmcpError("NOTE_MALFORMED", "the host's answer is too large");
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString("utf8");
    } finally {
      exchange.abort();
    }
  };
}
