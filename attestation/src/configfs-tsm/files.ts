import { constants } from "node:fs";
import { mkdir, open, rmdir } from "node:fs/promises";
import { readBounded } from "../machine/read-bounded.ts";

/** The four things done to configfs, so that the kernel's rules can be played by a test. Errors carry Node's `code` (`EBUSY`, …). */
export interface TsmFiles {
  makeDirectory(path: string): Promise<void>;
  removeDirectory(path: string): Promise<void>;
  /** Writes the bytes with one write(2). A binary attribute takes them when the file is closed, so that is waited for. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Reads from the start to the end through one opening, at most `limit` + 1 bytes. */
  read(path: string, limit: number): Promise<Uint8Array>;
}

/** The configfs of the kernel this process runs on. */
export const kernelFiles: TsmFiles = {
  async makeDirectory(path) {
    await mkdir(path);
  },

  async removeDirectory(path) {
    await rmdir(path);
  },

  async write(path, bytes) {
    // `inblob` may not be opened for reading, and nothing here may be created.
    const file = await open(path, constants.O_WRONLY);
    try {
      const { bytesWritten } = await file.write(bytes, 0, bytes.length, null);
      if (bytesWritten !== bytes.length) throw new Error("a short write");
    } finally {
      await file.close();
    }
  },

  read: readBounded,
};
