import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { endWithHost } from "../../host-proxy/src/launcher/qemu/end-with-host.ts";
import { CLI } from "./gateway.ts";

/** `cmcp connect --listen` in front of a gateway. */
export interface Connected {
  /** Its base URL, on loopback. */
  readonly url: string;
  /** Its endpoint for MCP clients. */
  readonly mcp: string;
  /** The instance's public keys, by their use. */
  readonly keys: Readonly<Record<string, string>>;
  readonly process: ChildProcess;
  /** Everything that it said of itself, as JSON. */
  readonly said: Readonly<Record<string, unknown>>;
  /** Interrupts it and waits; the exit code. */
  stop(): Promise<number | null>;
}

/** How `cmcp connect` is started, beside the gateway. */
export interface ConnectSettings {
  /** What is expected of the enclave; a gateway in development on this machine unless said. */
  readonly expected?: readonly string[];
  /** A free port unless said. */
  readonly port?: number;
  /** The bearer token of requests that have none. */
  readonly token?: string;
}

/**
 * Starts `cmcp connect --listen` as a user does. It ends when it is stopped, or with this process.
 * @throws Error when it does not accept the enclave
 */
export async function startConnect(
  gateway: string,
  { expected = ["--development"], port = 0, token }: ConnectSettings = {},
): Promise<Connected> {
  const { prefix, holdInput } = endWithHost();
  const words = ["connect", "--url", gateway, ...expected, "--listen", `127.0.0.1:${port}`, "--json"];
  const own = token === undefined ? [] : ["--token-env", "CMCP_BEARER_TOKEN"];
  const node = [process.execPath, "--disable-warning=ExperimentalWarning"] as const;
  const [program, ...args] = [...prefix, ...node, CLI, ...words, ...own];
  if (program === undefined) throw new Error("there is a program to start");
  const child: ChildProcess = spawn(program, args, {
    env: { PATH: process.env["PATH"], ...(token === undefined ? {} : { CMCP_BEARER_TOKEN: token }) },
    stdio: [holdInput ? "pipe" : "ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  if (child.stdout === null || child.stderr === null) throw new Error("both outputs are pipes");
  const complaint = text(child.stderr);
  const first = once(createInterface(child.stdout), "line").then(([line]) => String(line));
  const line = await Promise.race([first, exited.then(() => "{}")]);
  const announced = JSON.parse(line) as Record<string, unknown> & Partial<Connected>;
  const { url, keys } = announced;
  if (url === undefined || keys === undefined)
    throw new Error(`cmcp connect did not connect: ${line} ${await complaint}`);
  const stop = async (): Promise<number | null> => {
    child.kill("SIGINT");
    return await exited;
  };
  return { url, mcp: `${url}/mcp`, keys, process: child, said: announced, stop };
}
