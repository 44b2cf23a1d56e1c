/** First bytes of the archive of a folder. */
export const TREE_MAGIC: Buffer = Buffer.from("cmcp-tree-v1\n");

/**
 * Whether a link `depth` folders below the root can only lead to below the root, read as text.
 * @param target bytes of the link
 */
export function staysInside(target: Buffer, depth: number): boolean {
  const text = target.toString("latin1");
  if (text === "" || text.startsWith("/")) return false;
  let at = depth;
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    at += part === ".." ? -1 : 1;
    if (at < 0) return false;
  }
  return true;
}
