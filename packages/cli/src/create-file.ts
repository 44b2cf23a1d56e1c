import { open, rm } from "node:fs/promises";

/**
 * Writes a file that is not there yet; what cannot be written whole is taken away again. Throws what the operating
 * system says.
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
