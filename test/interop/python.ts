import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../gateway/deployment.ts";
import type { CommandResult } from "../gateway/cli.ts";

const CACHE = join(ROOT, ".cache/interop");
/** The environment of the newest agent-manifest package. */
const MANIFEST_CACHE = join(ROOT, ".cache/interop-manifest");

/** The examples that the public runtime's source distribution carries. */
export const EXAMPLES = join(CACHE, "examples");

/** Runs a command of a virtual environment, with nothing of this process's environment but the path. */
export function installed(command: string, args: readonly string[], cache = CACHE): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      join(cache, "venv/bin", command),
      args,
      { env: { PATH: process.env["PATH"], PYTHONUTF8: "1", NO_COLOR: "1" } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

/** Runs one of the Python scripts beside this file. @throws Error when it fails. */
export async function script(name: string, args: readonly string[], cache = CACHE): Promise<string> {
  const run = await installed("python", [join(import.meta.dirname, "python", name), ...args], cache);
  if (run.code !== 0) throw new Error(`${name} ended with ${run.code}: ${run.stderr}`);
  return run.stdout;
}

/** As {@link script}, with the newest agent-manifest package. */
export async function manifestScript(name: string, args: readonly string[]): Promise<string> {
  return await script(name, args, MANIFEST_CACHE);
}
