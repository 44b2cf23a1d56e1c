import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Tpm } from "../../commands/tpm.ts";
import { connectTpmSocket } from "../socket.ts";
import type { TpmTransport } from "../transport.ts";

/** What a test says when it skips for want of a software TPM. */
export const NO_SWTPM = "swtpm is not here; run test/swtpm/install.sh, or set CMCP_SWTPM to the program";

const UNPACKED = fileURLToPath(new URL("../../../../../.cache/swtpm/usr/bin/swtpm", import.meta.url));
const START_DEADLINE_MS = 10_000;

/** The program: `CMCP_SWTPM`, the unpacked one of test/swtpm/install.sh, or one on the PATH. */
function findSwtpm(): string | undefined {
  const named = process.env["CMCP_SWTPM"];
  const candidates = [
    ...(named === undefined ? [] : [named]),
    UNPACKED,
    ...(process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "swtpm")),
  ];
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Where an unpacked program has its libraries; nothing for an installed one. */
function libraryPath(program: string): string {
  const libraries = join(dirname(dirname(program)), "lib");
  if (!existsSync(libraries)) return "";
  const folders = readdirSync(libraries)
    .map((name) => join(libraries, name))
    .filter((folder) => existsSync(join(folder, "swtpm")));
  return folders.flatMap((folder) => [folder, join(folder, "swtpm")]).join(":");
}

/** Whether somebody takes connections: a socket is there a moment before. */
async function listens(socket: string): Promise<boolean> {
  try {
    await (await connectTpmSocket(socket)).close();
    return true;
  } catch {
    return false;
  }
}

/** A software TPM of its own for one test, started and ready, with empty hierarchies and registers. */
export class Swtpm {
  readonly socket: string;
  readonly #folder: string;
  readonly #program: string;
  #process: ChildProcess | undefined;

  private constructor(program: string, folder: string) {
    this.#program = program;
    this.#folder = folder;
    this.socket = join(folder, "tpm.sock");
  }

  /** `null` where the program is absent. */
  static async start(): Promise<Swtpm | null> {
    const program = findSwtpm();
    if (program === undefined) return null;
    const swtpm = new Swtpm(program, mkdtempSync(join(tmpdir(), "cmcp-swtpm-")));
    await swtpm.#run();
    return swtpm;
  }

  /** Takes its power away, without a word to it before, and gives it back. */
  async cutPower(): Promise<void> {
    await this.#end();
    rmSync(this.socket, { force: true });
    await this.#run();
  }

  async #run(): Promise<void> {
    const options = [
      "socket",
      "--tpm2",
      "--tpmstate",
      `dir=${this.#folder}`,
      "--server",
      `type=unixio,path=${this.socket}`,
      "--flags",
      "not-need-init,startup-clear",
    ];
    const child = spawn(this.#program, options, {
      stdio: "ignore",
      env: { ...process.env, LD_LIBRARY_PATH: libraryPath(this.#program) },
    });
    this.#process = child;
    for (let waited = 0; !(await listens(this.socket)); waited += 10) {
      if (waited > START_DEADLINE_MS || child.exitCode !== null) {
        await this.stop();
        throw new Error("swtpm did not start");
      }
      await delay(10);
    }
  }

  async connect(): Promise<TpmTransport> {
    return await connectTpmSocket(this.socket);
  }

  /** Runs `work` on a connection of its own. */
  async use<T>(work: (tpm: Tpm) => Promise<T>): Promise<T> {
    const tpm = new Tpm(await this.connect());
    try {
      return await work(tpm);
    } finally {
      await tpm.close();
    }
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }
}
