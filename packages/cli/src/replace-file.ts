import { randomBytes } from "node:crypto";
import { lstat, realpath, rename, rm, stat } from "node:fs/promises";
import { CmcpError } from "@cmcp/boundary";
import { writeError } from "./write-error.ts";
import { createFile } from "./create-file.ts";

/** Mode of a file that was not there before, less what the user's mask takes away. */
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

/** Where a path leads. What is there is a regular file: a device, a pipe or a folder is nobody's to replace. */
async function targetOf(path: string): Promise<Target> {
  const led = await unlessAbsent(realpath(path));
  if (led === null) {
    // A link to nothing: what it names was not there to be replaced, and nobody said that it may be made.
    if ((await unlessAbsent(lstat(path))) !== null)
      throw new CmcpError("USAGE", `cannot write ${path}: it is a link to nothing`);
    return { path, mode: NEW_FILE_MODE };
  }
  const found = await stat(led);
  if (!found.isFile()) throw new CmcpError("USAGE", `cannot write ${path}: it is not a regular file`);
  return { path: led, mode: found.mode & 0o777 };
}

/**
 * Writes beside the file and moves it into place, so that a reader sees the old one or the new one, whole. Of a link it
 * is
 * the file that the link leads to.
 * @param mode of the file; without it, what the file has
 * @throws CmcpError `USAGE`, the file then is as it was
 */
export async function replaceFile(path: string, content: string | Uint8Array, mode?: number): Promise<void> {
  await replaceFiles([{ path, content, ...(mode === undefined ? {} : { mode }) }]);
}

/**
 * {@link replaceFile} for files that are of use only together: all are written beside their places before the first is
 * moved.
 */
export async function replaceFiles(
  files: readonly { readonly path: string; readonly content: string | Uint8Array; readonly mode?: number }[],
): Promise<void> {
  const written: { beside: string; place: string }[] = [];
  let at = "";
  try {
    for (const { path, content, mode } of files) {
      at = path;
      const target = await targetOf(path);
      const beside = `${target.path}.${randomBytes(6).toString("hex")}`;
      await createFile(beside, content, mode ?? target.mode);
      written.push({ beside, place: target.path });
    }
    for (const { beside, place } of written) {
      at = place;
      await rename(beside, place);
    }
  } catch (thrown) {
    for (const { beside } of written) await rm(beside, { force: true });
    throw writeError(at, thrown);
  }
}
