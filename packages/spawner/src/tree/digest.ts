import { createHash } from "node:crypto";
import { treeArchive } from "./archive.ts";

/**
 * The digest of a stdio server's files, 32 bytes: SHA-256 of their archive (SPEC.md, "Archive"). Reads everything before
 * it returns.
 * @throws CmcpError `SPAWN_TREE_REFUSED` as {@link treeArchive}
 */
export function treeDigest(path: string): Uint8Array {
  const hash = createHash("sha256");
  for (const chunk of treeArchive(path)) hash.update(chunk);
  return Uint8Array.from(hash.digest());
}
