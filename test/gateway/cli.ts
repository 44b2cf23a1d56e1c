import { execFile } from "node:child_process";
import process from "node:process";
import { CLI } from "./gateway.ts";

/** What a command printed and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Unless a test gives it longer, a command that does not end by then is killed: one that should have been refused may be serving. */
const LONGEST_MS = 120_000;

/** Runs `cmcp` as it is shipped. */
export function cmcp(
  args: readonly string[],
  env: Record<string, string> = {},
  longestMs = LONGEST_MS,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", CLI, ...args],
      { env: { PATH: process.env["PATH"], NO_COLOR: "1", ...env }, timeout: longestMs },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}
