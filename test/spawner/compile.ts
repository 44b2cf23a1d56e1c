import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Compiles one C file of the tests into a static program. */
export async function compileStatic(source: string, output: string): Promise<void> {
  await promisify(execFile)(process.env["CC"] ?? "cc", [
    "-std=c11",
    "-O1",
    "-static",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-o",
    output,
    source,
  ]);
}
