import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

/** A free TCP port on loopback; another process could take it before it is used. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A server started as a process of its own. */
export interface ServerProcess {
  readonly port: number;
  close(): Promise<void>;
}

const entry = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/package.json")),
  "dist/index.js",
);

/** Ports tried before it is given up. */
const MAX_PORTS = 5;

/**
 * Starts the reference server `@modelcontextprotocol/server-everything` over streamable HTTP, on another port where
 * somebody else took the first.
 */
export async function startEverythingServer(): Promise<ServerProcess> {
  for (let ports = 1; ; ports += 1) {
    const started = await startAt(await freePort());
    if (started !== null) return started;
    if (ports === MAX_PORTS) throw new Error("server-everything found no port of its own");
  }
}

/** The server at a port; `null` when another answers there. */
async function startAt(port: number): Promise<ServerProcess | null> {
  const child = spawn(process.execPath, [entry, "streamableHttp"], {
    env: { PATH: process.env["PATH"], PORT: String(port) },
    stdio: "ignore",
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for (let attempt = 0; ; attempt += 1) {
    try {
      // What it says to a request without a session.
      if ((await fetch(`http://127.0.0.1:${port}/mcp`)).status === 400) break;
      child.kill("SIGKILL");
      await ended;
      return null;
    } catch (thrown) {
      if (attempt > 100 || child.exitCode !== null)
        throw new Error("server-everything did not start", { cause: thrown });
      await sleep(100);
    }
  }
  return {
    port,
    close: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
