import { spawn, type ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { ROOT } from "./deployment.ts";
import { endWithHost } from "../../host-proxy/src/launcher/qemu/end-with-host.ts";
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

/** A gateway that may end by itself. */
export interface GatewayProcess extends Gateway {
  /** Resolves to its exit code. */
  readonly exited: Promise<number | null>;
  /** What it printed on standard output so far. */
  output(): string;
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

/**
 * Starts the gateway; without a pipe as its standard error there is no log here. It ends with this process, however that ends, and does not
 * keep this process: a test that is out of time may leave one behind.
 * @throws StartRefused when it ends before it is ready
 */
export async function startGateway(
  config: string,
  env: Record<string, string>,
  { entry = CLI, stderr = "pipe" }: { entry?: string; stderr?: "pipe" | number } = {},
): Promise<GatewayProcess> {
  const launch = await prepareLaunch(config, env);
  const { prefix, holdInput } = endWithHost();
  const node = [process.execPath, "--disable-warning=ExperimentalWarning"];
  const [program, ...words] = [...prefix, ...node, entry, "start", "--config", config, "--json"];
  const child = spawn(program, words, { env: launch.env, stdio: [holdInput ? "pipe" : "ignore", "pipe", stderr] });
  let log = "";
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve)).then(async (code) => {
    await launch.clean();
    return code;
  });
  const first = await firstLine(child, ended);
  const ready = JSON.parse(first.line === "" ? "{}" : first.line) as Partial<Ready>;
  if (ready.url === undefined) throw new StartRefused(await ended, `${first.line}${log}`);
  if (IN_MACHINE && ready.launcher !== "qemu") {
    child.kill("SIGKILL");
    throw new Error(`the enclave was to be in a machine and is a ${ready.launcher}`);
  }
  letGo(child);
  // Whoever waits for its end needs this process.
  const exited = async (): Promise<number | null> => {
    child.ref();
    return await ended;
  };
  return {
    ...(ready as Ready),
    get exited() {
      return exited();
    },
    output: () => output,
    log: () => log,
    stop: async () => {
      child.kill("SIGINT");
      return await exited();
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited();
    },
  };
}

/** From here on neither the process nor what it prints keeps this process. */
function letGo(child: ChildProcess): void {
  child.unref();
  // Sockets, for which the types have streams.
  for (const pipe of [child.stdin, child.stdout, child.stderr]) if (pipe instanceof Socket) pipe.unref();
}

async function firstLine(child: ChildProcess, exited: Promise<unknown>): Promise<{ line: string }> {
  if (child.stdout === null) throw new Error("standard output is a pipe");
  const lines = createInterface({ input: child.stdout });
  return await Promise.race([
    new Promise<{ line: string }>((resolve) => lines.once("line", (line) => resolve({ line }))),
    exited.then(() => ({ line: "" })),
  ]);
}
