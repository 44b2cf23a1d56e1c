import { realpath, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import type { ServerTree } from "./server-tree.ts";

/** Files of one's own. */
export interface OwnFiles {
  readonly path: string;
  /** What is run, below a folder. */
  readonly script: string | null;
}

/**
 * Takes files of one's own as they stand: a folder with the script or program that is run, or one file. Node runs
 * scripts, and everything else is a program of its own.
 * @throws CmcpError `USAGE`
 */
export async function ownTree({ path, script }: OwnFiles): Promise<ServerTree> {
  const tree = await realpath(path).catch((cause: unknown) => {
    throw new CmcpError("USAGE", `${path} is not a file or folder that can be read`, { cause });
  });
  const isFolder = (await stat(tree)).isDirectory();
  if (isFolder !== (script !== null))
    throw new CmcpError("USAGE", isFolder ? "a folder needs --script FILE, below it" : "--script is for a folder");
  const below = posix.normalize(script ?? "");
  if (below.startsWith("..") || below.startsWith("/"))
    throw new CmcpError("USAGE", "--script is a path below the folder");
  const main = script === null ? tree : join(tree, below);
  const start = /\.[cm]?js$/.test(main) ? { tree, command: "node", args: [main] } : { tree, command: main, args: [] };
  return { start, packages: [], lockFile: null, notes: [] };
}
