import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, mkdir } from "node:fs/promises";
import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import type { RunningSpawner } from "./running.ts";
import { startUnconfined } from "./unconfined.ts";

/** Milliseconds until a spawner must listen. */
const LISTEN_MS = 5_000;

export interface SpawnerOptions {
  /** Path of the compiled spawner. */
  readonly program: string;
  /** Where it listens. Its folder must be private to this user. */
  readonly socket: string;
  /**
   * A folder of this user's that is not there yet or empty; trees are copied to a file system mounted there, which
   * nobody else sees.
   */
  readonly stage: string;
  /**
   * Files and folders of the machine that every server sees, read-only, beside its own: interpreters and their
   * libraries.
   */
  readonly runtime: readonly string[];
  /** Uid of the enclave, this process's own when absent. */
  readonly peerUid?: number;
  /** Runs servers without confinement where there is no other way. */
  readonly developmentMode: boolean;
}

/** Runs the program to its end; what it wrote to standard error when it failed. */
function failure(program: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: {},
      stdio: ["ignore", "ignore", "pipe"],
      timeout: LISTEN_MS,
      killSignal: "SIGKILL",
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said = `${said}${chunk.toString("utf8")}`.slice(0, 1_000)));
    child.once("error", () => resolve("it cannot be started"));
    child.once("close", (code) => resolve(code === 0 ? null : said.trim() || "it failed"));
  });
}

/**
 * Starts the spawner beside the enclave. Whether this machine allows its confinement is found out by trying it.
 * @throws CmcpError `SPAWN_UNAVAILABLE` where it does not, and `developmentMode` is off
 */
export async function startSpawner(options: SpawnerOptions): Promise<RunningSpawner> {
  await mkdir(options.stage, { recursive: true, mode: 0o700 });
  const compiled = await access(options.program, constants.X_OK).then(
    () => true,
    () => false,
  );
  const why = compiled ? await failure(options.program, ["--probe", "--stage", options.stage]) : "it was not compiled";
  if (why === null) return await startConfined(options);
  if (options.developmentMode) return await startUnconfined(options.socket, options.runtime);
  throw new CmcpError("SPAWN_UNAVAILABLE", `stdio servers cannot be confined on this machine: ${why}`);
}

async function startConfined({
  program,
  socket,
  stage,
  runtime,
  peerUid = process.geteuid?.() ?? 0,
}: SpawnerOptions): Promise<RunningSpawner> {
  const args = [
    "--stage",
    stage,
    "--socket",
    socket,
    "--peer-uid",
    String(peerUid),
    ...runtime.flatMap((path) => ["--runtime", path]),
  ];
  const child = spawn(program, args, { env: {}, stdio: ["ignore", "pipe", "ignore"], detached: true });
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
  const over = new AbortController();
  void ended.then(() => over.abort());
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  // It says one line once it listens. Connecting to find out would be taken for the enclave's first connection.
  const said = await once(child.stdout, "data", {
    signal: AbortSignal.any([AbortSignal.timeout(LISTEN_MS), over.signal]),
  }).then(
    () => true,
    () => false,
  );
  if (said) return { confinement: "confined", ended, stop };
  await stop();
  throw new CmcpError("SPAWN_UNAVAILABLE", "the spawner ended or did not listen in time");
}
