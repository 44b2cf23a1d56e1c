import { randomBytes } from "node:crypto";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { CmcpError } from "@cmcp/boundary";

/** Mode of a file that was not there before, less what the user's mask takes away. */
const NEW_FILE_MODE = 0o666;

async function modeOf(path: string): Promise<number> {
  return await stat(path).then(({ mode }) => mode & 0o777, () => NEW_FILE_MODE);
}

/**
 * Writes beside the file and moves it into place, so that a reader sees the old one or the new one, whole.
 * @param mode of the file; without it, what the file has
 * @throws CmcpError `USAGE`, the file then is as it was
 */
export async function replaceFile(path: string, content: string | Uint8Array, mode?: number): Promise<void> {
  const beside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(beside, content, { mode: mode ?? (await modeOf(path)), flag: "wx" });
    await rename(beside, path);
  } catch (thrown) {
    await rm(beside, { force: true });
    throw new CmcpError("USAGE", `cannot write ${path}`, { cause: thrown });
  }
}
