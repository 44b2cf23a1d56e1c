import { examine } from "@cmcp/boundary";
import type { ExchangePool } from "@cmcp/wire";
import type { Cosign } from "./witnesses.ts";

/**
 * Asks the host for cosignatures. The exchange bounds its answer (`BODY_LIMITS`), and nothing in it is believed here.
 * Whatever fails is an error.
 */
export function hostCosign(pool: ExchangePool): Cosign {
  return async (note, signal) => {
    const exchange = await pool.open({ t: "cosign" }, signal);
    try {
      await exchange.write(Buffer.from(note));
      await exchange.end();
      await exchange.head;
      const chunks: Uint8Array[] = [];
      for await (const part of exchange.body) chunks.push(examine(part));
      return Buffer.concat(chunks).toString("utf8");
    } finally {
      exchange.abort();
    }
  };
}
