import { appendFileSync, lstatSync, renameSync, writeFileSync } from "node:fs";
import { CmcpError } from "@cmcp/boundary";

/** Bytes of one machine's console that are kept. */
export const CONSOLE_BYTES = 1024 * 1024;

/** The console of one machine, as a file nobody can fill a disk with. */
export interface ConsoleFile {
  /** Adds a line. The guest or its firmware wrote it: control characters, which a terminal would obey, are replaced. */
  write(line: string): void;
}

/**
 * Begins a console file, readable by its owner alone. The file of the machine before is kept beside it as `<path>.1`,
 * so that what a machine printed before it died can still be read once the next one runs.
 * @throws CmcpError `LAUNCH_MACHINE_INVALID` when the file cannot be written
 */
export function openConsoleFile(path: string, limit: number = CONSOLE_BYTES): ConsoleFile {
  const unusable = (cause?: unknown): CmcpError =>
    new CmcpError("LAUNCH_MACHINE_INVALID", `the console file ${path} cannot be written, or is not a regular file`, {
      cause,
    });
  try {
    const before = lstatSync(path, { throwIfNoEntry: false });
    // Moving a folder or a device out of the way could break more than a log.
    if (before !== undefined && !before.isFile()) throw unusable();
    if (before !== undefined) renameSync(path, `${path}.1`);
    writeFileSync(path, "", { mode: 0o600, flag: "wx" });
  } catch (thrown) {
    throw thrown instanceof CmcpError ? thrown : unusable(thrown);
  }
  let room = limit;
  return {
    write(line) {
      if (room <= 0) return;
      const text = Buffer.from(`${line.replace(/[^\t\x20-\x7e]/g, "?")}\n`);
      room -= text.length;
      try {
        appendFileSync(path, room > 0 ? text : `[cut after ${limit} bytes]\n`);
      } catch {
        // A full disk must not take the gateway down with it; what is missing is missing from a log of the guest's.
        room = 0;
      }
    },
  };
}
