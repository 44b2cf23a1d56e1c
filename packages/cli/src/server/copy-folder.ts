import { copyFile, mkdir, readdir, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { CmcpError } from "@cmcp/boundary";

/** Files and folders that are copied at most, and how deep. */
const MAX_ITEMS = 65_536;
const MAX_DEPTH = 32;

/**
 * Copies a folder's regular files, with those that its links lead to inside it.
 * @param without names that are left out wherever they are
 * @throws CmcpError `SPAWN_TREE_REFUSED` for a link that leads out of the folder, for special files, and over a bound
 */
export async function copyFolder(from: string, to: string, without: (name: string) => boolean): Promise<void> {
  const root = await realpath(from);
  let items = 0;
  const refuse = (path: string, why: string): never => {
    throw new CmcpError("SPAWN_TREE_REFUSED", `${path} ${why}`);
  };
  const copy = async (source: string, target: string, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH) refuse(source, `is deeper than ${MAX_DEPTH} folders`);
    await mkdir(target, { recursive: true });
    for (const entry of await readdir(source, { withFileTypes: true })) {
      if (without(entry.name)) continue;
      items += 1;
      if (items > MAX_ITEMS) refuse(root, `has more than ${MAX_ITEMS} items`);
      const [path, copied] = [join(source, entry.name), join(target, entry.name)];
      if (entry.isDirectory()) await copy(path, copied, depth + 1);
      else if (entry.isFile()) await copyFile(path, copied);
      else if (entry.isSymbolicLink()) {
        const led = await realpath(path);
        if (!led.startsWith(root + sep)) refuse(path, "is a symbolic link that leads out of its folder");
        await copyFile(led, copied);
      } else refuse(path, "is neither a file nor a folder");
    }
  };
  await copy(root, to, 0);
}
