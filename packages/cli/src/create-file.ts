import { open, rm } from "node:fs/promises";

/**
 * Creates and writes a new file. A file that cannot be written whole is removed. Throws the operating system's error.
 */
export async function createFile(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const file = await open(path, "wx", mode);
  try {
    await file.writeFile(content);
  } catch (thrown) {
    await rm(path, { force: true });
    throw thrown;
  } finally {
    await file.close();
  }
}
