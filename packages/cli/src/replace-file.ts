import { randomBytes } from "node:crypto";
import { lstat, realpath, rename, rm, stat } from "node:fs/promises";
import { CmcpError } from "@cmcp/boundary";
import { cannotWrite } from "./cannot-write.ts";
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
    if ((await unlessAbsent(lstat(path))) !== null) throw new CmcpError("USAGE", `cannot write ${path}: it is a link to nothing`);
    return { path, mode: NEW_FILE_MODE };
  }
  const found = await stat(led);
  if (!found.isFile()) throw new CmcpError("USAGE", `cannot write ${path}: it is not a regular file`);
  return { path: led, mode: found.mode & 0o777 };
}

/**
 * Writes beside the file and moves it into place, so that a reader sees the old one or the new one, whole. Of a link it is
 * the file that the link leads to.
 * @param mode of the file; without it, what the file has
 * @throws CmcpError `USAGE`, the file then is as it was
 */
export async function replaceFile(path: string, content: string | Uint8Array, mode?: number): Promise<void> {
  try {
    const target = await targetOf(path);
    const beside = `${target.path}.${randomBytes(6).toString("hex")}`;
    await createFile(beside, content, mode ?? target.mode);
    try {
      await rename(beside, target.path);
    } catch (thrown) {
      await rm(beside, { force: true });
      throw thrown;
    }
  } catch (thrown) {
    throw cannotWrite(path, thrown);
  }
}
