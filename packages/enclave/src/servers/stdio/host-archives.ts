import { examine } from "@cmcp/boundary";
import type { ArchiveSource } from "@cmcp/spawner";
import type { ExchangePool } from "@cmcp/wire";
import { hostError } from "../../instance/host-error.ts";

const HOST_ERRORS = { SPAWN_TREE_REFUSED: "the host did not send the files of a stdio server, or cannot read them" };

/**
 * The archives of stdio servers, as the host sends them. Nothing here looks into them: the spawner parses them under
 * bounds and compares their digest.
 */
export function hostArchives(pool: ExchangePool): ArchiveSource {
  return async function* (tree, signal) {
    try {
      const exchange = await pool.open({ t: "tree", tree }, signal);
      try {
        await exchange.end();
        await exchange.head;
        for await (const chunk of exchange.body) yield examine(chunk);
      } finally {
        exchange.abort();
      }
    } catch (thrown) {
      throw hostError(thrown, HOST_ERRORS, "SPAWN_TREE_REFUSED");
    }
  };
}
