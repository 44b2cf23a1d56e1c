import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { CLI } from "./gateway.ts";

/** A command that serves a page of approvers, and the page's address. */
export interface ServedPage {
  readonly url: string;
  readonly child: ChildProcess;
}

/** Starts `cmcp approvals` with a page. @param from where the command prints the address */
export async function startPage(from: "stdout" | "stderr", ...args: readonly string[]): Promise<ServedPage> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CLI, "approvals", ...args], {
    env: { PATH: process.env["PATH"], NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for await (const line of createInterface(child[from])) {
    const url = /http:\/\/localhost:\d+\/[A-Za-z0-9_-]{43}\//.exec(line)?.[0];
    if (url !== undefined) return { url, child };
  }
  throw new Error("the command ended without an address");
}

/** Stops the command. @returns its exit code */
export async function stopPage({ child }: ServedPage): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const [code] = (await ended) as [number | null];
  return code;
}

/** A port of this machine that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
