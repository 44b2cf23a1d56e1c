import { randomBytes } from "node:crypto";
import { lstat, realpath, rename, rm, stat } from "node:fs/promises";
import { CmcpError } from "@cmcp/boundary";
import { writeError } from "./write-error.ts";
import { createFile } from "./create-file.ts";

/** Permissions of a new file, before the user's umask. */
const NEW_FILE_MODE = 0o666;

interface Target {
  readonly path: string;
  readonly mode: number;
}

async function unlessAbsent<T>(found: Promise<T>): Promise<T | null> {
  return await found.catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === "ENOENT") return null;
    throw thrown;
  });
}

/** The file that a path leads to. Devices, pipes and directories are never replaced. */
async function targetOf(path: string): Promise<Target> {
  const led = await unlessAbsent(realpath(path));
  if (led === null) {
    // A dangling link: there is nothing to replace, and the file it names may not be created.
    if ((await unlessAbsent(lstat(path))) !== null)
      throw new CmcpError("USAGE", `cannot write ${path}: it is a symbolic link to a file that does not exist`);
    return { path, mode: NEW_FILE_MODE };
  }
  const found = await stat(led);
  if (!found.isFile()) throw new CmcpError("USAGE", `cannot write ${path}: it is not a regular file`);
  return { path: led, mode: found.mode & 0o777 };
}

/**
 * Replaces a file at once: it writes a temporary file beside it and renames that. A reader sees the whole old file or
 * the whole
 * new one. For a symbolic link the file it leads to is replaced.
 * @param mode permissions of the new file; by default those of the old one
 * @throws CmcpError `USAGE`; the old file is then unchanged
 */
export async function replaceFile(path: string, content: string | Uint8Array, mode?: number): Promise<void> {
  await replaceFiles([{ path, content, ...(mode === undefined ? {} : { mode }) }]);
}

/**
 * {@link replaceFile} for files that belong together: all temporary files are written before the first is renamed.
 */
export async function replaceFiles(
  files: readonly { readonly path: string; readonly content: string | Uint8Array; readonly mode?: number }[],
): Promise<void> {
  const written: { beside: string; target: string }[] = [];
  let at = "";
  try {
    for (const { path, content, mode } of files) {
      at = path;
      const target = await targetOf(path);
      const beside = `${target.path}.${randomBytes(6).toString("hex")}`;
      await createFile(beside, content, mode ?? target.mode);
      written.push({ beside, target: target.path });
    }
    for (const { beside, target } of written) {
      at = target;
      await rename(beside, target);
    }
  } catch (thrown) {
    for (const { beside } of written) await rm(beside, { force: true });
    throw writeError(at, thrown);
  }
}
