import { CmcpError } from "@cmcp/boundary";
import { treeArchive } from "@cmcp/spawner/tree";
import type { IncomingExchange } from "@cmcp/wire";

/**
 * Serves a `tree`: status 200, then the archive of the files at `tree`. The enclave's spawner holds it to the catalog's
 * digest.
 * @param trees the paths that may be asked for
 * @throws CmcpError `SPAWN_TREE_REFUSED` for a path that is not one of them, and for files that cannot be archived
 */
export async function serveTree(trees: readonly string[], exchange: IncomingExchange, tree: string): Promise<void> {
  if (!trees.includes(tree))
    throw new CmcpError("SPAWN_TREE_REFUSED", "no stdio server of the catalog has its files there");
  await exchange.respond({ status: 200, headers: {} });
  for (const chunk of treeArchive(tree)) {
    if (exchange.signal.aborted) return;
    await exchange.write(chunk);
  }
  await exchange.end();
}
