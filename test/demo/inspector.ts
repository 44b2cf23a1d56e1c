import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";

const launcher = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json")),
  "clients/launcher/build/index.js",
);

/** What the Inspector printed and how it ended. */
export interface Inspected {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Its words for a server over HTTP, as the principal of a token. */
export function overHttp(mcp: string, token: string): readonly string[] {
  return [mcp, "--header", `Authorization: Bearer ${token}`];
}

/** The official MCP Inspector, in its command line mode. */
export class Inspector {
  readonly #server: readonly string[];
  readonly #home: string;

  /**
   * @param server its words for the server to connect to
   * @param home a folder for the files it keeps
   */
  constructor(server: readonly string[], home: string) {
    this.#server = server;
    this.#home = home;
  }

  /** Connects anew and asks for one method. */
  async run(method: string, args: readonly string[] = []): Promise<Inspected> {
    await mkdir(this.#home, { recursive: true });
    const command = [launcher, "--cli", ...this.#server, "--method", method, ...args];
    return await new Promise((resolve) => {
      execFile(
        process.execPath,
        command,
        { env: { PATH: process.env["PATH"], HOME: this.#home } },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
          resolve({ code, stdout, stderr });
        },
      );
    });
  }

  /** Calls one tool; values that are not strings are written as JSON. */
  async call(name: string, args: Readonly<Record<string, string>>): Promise<Inspected> {
    const pairs = Object.entries(args).flatMap(([key, value]) => ["--tool-arg", `${key}=${value}`]);
    return await this.run("tools/call", ["--tool-name", name, ...pairs]);
  }
}
