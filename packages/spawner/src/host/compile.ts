import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const BUILD = fileURLToPath(new URL("../../native/build.sh", import.meta.url));
/** Milliseconds the compiler may take. */
const COMPILE_MS = 120_000;

/**
 * Compiles the spawner to `output` with the machine's C compiler. Resolves to what the compiler said when it could not.
 */
export function compileSpawner(output: string): Promise<string | null> {
  return new Promise((resolve) => {
    execFile("/bin/sh", [BUILD, output], { timeout: COMPILE_MS }, (error, _, stderr) =>
      resolve(error === null ? null : stderr || error.message),
    );
  });
}
