import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const BUILD = fileURLToPath(new URL("../../../native/build-vsock.sh", import.meta.url));
/** Where a Node that was unpacked whole keeps its headers. */
const HEADERS = join(dirname(process.execPath), "../include/node");
/** Milliseconds the compiler may take. */
const COMPILE_MS = 60_000;

/**
 * Compiles the vsock addon to `output` with the machine's C compiler. Resolves to what the compiler said when it could
 * not.
 */
export function compileVsockAddon(output: string): Promise<string | null> {
  return new Promise((resolve) => {
    execFile("/bin/sh", [BUILD, output, HEADERS], { timeout: COMPILE_MS }, (error, _, stderr) =>
      resolve(error === null ? null : stderr || error.message),
    );
  });
}
