import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createFile } from "./create-file.ts";
import { writeError } from "./write-error.ts";

/** A file of a new folder. */
export interface NewFile {
  readonly content: string;
  /** Permissions; readable to others unless it says so, as far as the user's umask lets it. */
  readonly mode?: number;
}

const READABLE = 0o666;

/**
 * Makes a folder with these files, by their paths in it. A folder that cannot be written whole is removed.
 * @throws CmcpError `USAGE` when it exists already, or cannot be written
 */
export async function createFolder(folder: string, files: Readonly<Record<string, NewFile>>): Promise<void> {
  await mkdir(folder).catch((thrown: unknown) => {
    throw writeError(folder, thrown);
  });
  let at = folder;
  try {
    for (const [name, { content, mode = READABLE }] of Object.entries(files)) {
      at = join(folder, name);
      await mkdir(dirname(at), { recursive: true });
      await createFile(at, content, mode);
    }
  } catch (thrown) {
    await rm(folder, { recursive: true, force: true });
    throw writeError(at, thrown);
  }
}
