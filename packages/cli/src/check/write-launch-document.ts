import { randomBytes } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { CmcpError } from "@cmcp/boundary";

/**
 * Writes a launch document's exact bytes for its owner's eyes only: policies in it may be private. Writes beside
 * the file and moves it into place, so that a file with a wider mode does not pass it on.
 * @throws CmcpError `USAGE`
 */
export async function writeLaunchDocument(path: string, document: Uint8Array): Promise<void> {
  const beside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(beside, document, { mode: 0o600, flag: "wx" });
    await rename(beside, path);
  } catch (thrown) {
    await rm(beside, { force: true });
    throw new CmcpError("USAGE", `cannot write ${path}`, { cause: thrown });
  }
}
