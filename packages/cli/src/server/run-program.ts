import { spawn } from "node:child_process";
import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import { visibleText } from "@cmcp/catalog";

/** Most of a program's output that is read, in bytes. */
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;
/** What is kept of its standard error, in characters. */
const MAX_ERROR = 2_000;
/** How long it may run, in milliseconds. */
const RUN_MS = 600_000;

/** A program of the machine. */
export interface Program {
  /** Its name on the PATH, or its path. */
  readonly program: string;
  /** How to get it, as a sentence. */
  readonly install: string;
  /** Names of environment variables with other values than this process has. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a program ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly stdout: string;
  /** The last of its standard error, fit for a terminal. */
  readonly stderr: string;
}

/**
 * Runs a program of the machine to its end, without a shell and without input.
 * @throws CmcpError `PROGRAM_MISSING` where the machine does not have it; `PACKAGE_UNAVAILABLE` when it takes over ten
 * minutes or writes over 32 MiB
 */
export async function runProgram(
  { program, install, environment = {} }: Program,
  args: readonly string[],
  cwd: string,
): Promise<ProgramEnd> {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const late = setTimeout(() => child.kill("SIGKILL"), RUN_MS);
  const chunks: Buffer[] = [];
  let [size, stderr] = [0, ""];
  child.stdout.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_OUTPUT_BYTES) child.kill("SIGKILL");
    else chunks.push(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => (stderr = `${stderr}${chunk.toString("utf8")}`.slice(-MAX_ERROR)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (cause) =>
      reject(new CmcpError("PROGRAM_MISSING", `${program} cannot be run on this machine. ${install}`, { cause })),
    );
    child.once("close", resolve);
  }).finally(() => clearTimeout(late));
  if (code === null)
    throw new CmcpError("PACKAGE_UNAVAILABLE", `${program} was stopped: it ran too long or wrote too much`);
  return { code, stdout: Buffer.concat(chunks).toString("utf8"), stderr: visibleText(stderr.trim()) };
}
