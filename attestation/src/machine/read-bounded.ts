import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** Reads a file through one opening, from the start to its end: at most `limit` + 1 bytes, so that a longer one can be told. */
export async function readBounded(path: string, limit: number): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY);
  try {
    const content = new Uint8Array(limit + 1);
    let length = 0;
    while (length < content.length) {
      const { bytesRead } = await file.read(content, length, content.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return content.slice(0, length);
  } finally {
    await file.close();
  }
}
