import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { ROOT } from "./deployment.ts";
import { IN_MACHINE, prepareLaunch } from "./launcher.ts";

/** The command line as it is shipped. */
export const CLI = join(ROOT, "packages/cli/dist/cmcp.mjs");

/** What `cmcp start --json` says when it is ready. */
interface Ready {
  readonly url: string;
  readonly mcp: string;
  readonly pid: number;
  readonly enclave_pid: number;
  readonly launcher: "process" | "vsock" | "qemu";
  readonly isolation: "network-namespace" | "machine" | "none";
  readonly launch_digest: string;
}

/** A running gateway, started as an operator starts it. */
export interface Gateway extends Ready {
  /** Everything it logged so far. */
  log(): string;
  /** Interrupts it and waits; the exit code. */
  stop(): Promise<number | null>;
  /** Kills the host process outright. */
  kill(): Promise<void>;
}

/** A start that was refused. */
export class StartRefused extends Error {
  readonly exitCode: number | null;
  /** The JSON error `cmcp start --json` printed. */
  readonly output: string;

  constructor(exitCode: number | null, output: string) {
    super(`cmcp start ended with ${exitCode}: ${output}`);
    this.exitCode = exitCode;
    this.output = output;
  }
}

/** Environment of a gateway in development with a bearer token. */
export function developmentEnvironment(token: string): Record<string, string> {
  return { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: token };
}

/** Starts the gateway; without a pipe as its standard error there is no log here. @throws StartRefused when it ends before it is ready. */
export async function startGateway(
  config: string,
  env: Record<string, string>,
  { entry = CLI, stderr = "pipe" }: { entry?: string; stderr?: "pipe" | number } = {},
): Promise<Gateway> {
  const launch = await prepareLaunch(config, env);
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", entry, "start", "--config", config, "--json"],
    { env: launch.env, stdio: ["ignore", "pipe", stderr] },
  );
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve)).then(async (code) => {
    await launch.clean();
    return code;
  });
  const first = await firstLine(child, exited);
  const ready = JSON.parse(first.line === "" ? "{}" : first.line) as Partial<Ready>;
  if (ready.url === undefined) throw new StartRefused(await exited, `${first.line}${log}`);
  if (IN_MACHINE && ready.launcher !== "qemu") {
    child.kill("SIGKILL");
    throw new Error(`the enclave was to be in a machine and is a ${ready.launcher}`);
  }
  return {
    ...(ready as Ready),
    log: () => log,
    stop: async () => {
      child.kill("SIGINT");
      return await exited;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function firstLine(child: ChildProcess, exited: Promise<unknown>): Promise<{ line: string }> {
  if (child.stdout === null) throw new Error("standard output is a pipe");
  const lines = createInterface({ input: child.stdout });
  return await Promise.race([
    new Promise<{ line: string }>((resolve) => lines.once("line", (line) => resolve({ line }))),
    exited.then(() => ({ line: "" })),
  ]);
}
