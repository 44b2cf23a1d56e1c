/** Real witnesses: torchwood's litewitness, with its key in an ssh-agent and its logs in SQLite. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { formatVerifierKey, readVerifierKey, sha256, type VerifierKey } from "@cmcp/log";
import { goProgram } from "./oracle.ts";

/** The tables of litewitness, which it makes itself only when it starts. */
const TABLES = `
  CREATE TABLE IF NOT EXISTS log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS key (
    origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));
`;

/** Ports tried before it is given up. */
const MAX_PORTS = 5;

/** One witness, in a folder of its own. */
export class Litewitness {
  readonly #folder: string;
  readonly #name: string;
  readonly #port: number;
  readonly #fingerprint: string;
  readonly #agent: ChildProcess;
  #process: ChildProcess | null = null;
  #key: VerifierKey | null = null;

  private constructor(
    folder: string,
    { name, port, fingerprint, agent }: { name: string; port: number; fingerprint: string; agent: ChildProcess },
  ) {
    this.#folder = folder;
    this.#name = name;
    this.#port = port;
    this.#fingerprint = fingerprint;
    this.#agent = agent;
  }

  /** A witness that knows one log. */
  static async create(folder: string, name: string, log: VerifierKey): Promise<Litewitness> {
    const key = join(folder, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const socket = join(folder, "agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    try {
      await addKey(agent, socket, key);
      const [, fingerprint = ""] = execFileSync("ssh-keygen", ["-l", "-f", `${key}.pub`], { encoding: "utf8" }).split(
        " ",
      );
      new Litewitness(folder, { name, port: 0, fingerprint, agent }).accept(log);
      for (let ports = 1; ; ports += 1) {
        const witness = new Litewitness(folder, { name, port: await freePort(), fingerprint, agent });
        try {
          await witness.start();
          return witness;
        } catch (thrown) {
          // Another process may have taken the port.
          if (ports === MAX_PORTS) throw thrown;
        }
      }
    } catch (thrown) {
      // It would keep the test's process for good.
      agent.kill();
      throw thrown;
    }
  }

  /** Has it know a log from the empty one on, as `witnessctl add-log` and `add-key` do. */
  accept(log: VerifierKey): void {
    const database = new DatabaseSync(join(this.#folder, "witness.db"));
    database.exec(TABLES);
    const empty = Buffer.from(sha256(new Uint8Array())).toString("base64");
    database.prepare("INSERT INTO log VALUES (?, 0, ?)").run(log.name, empty);
    database.prepare("INSERT INTO key VALUES (?, ?)").run(log.name, formatVerifierKey(log));
    database.close();
  }

  get key(): VerifierKey {
    if (this.#key === null) throw new Error("the witness was never started");
    return this.#key;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts its process, and waits until it listens. */
  async start(): Promise<void> {
    const child = spawn(
      goProgram("litewitness"),
      [
        `-name=${this.#name}`,
        `-db=${join(this.#folder, "witness.db")}`,
        `-ssh-agent=${join(this.#folder, "agent")}`,
        `-listen=127.0.0.1:${this.#port}`,
        `-key=${this.#fingerprint}`,
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#process = child;
    const lines: string[] = [];
    const reader = createInterface(child.stderr);
    reader.on("line", (line) => {
      lines.push(line);
      const [, vkey] = /vkey=(\S+)/.exec(line) ?? [];
      if (vkey !== undefined) this.#key = readVerifierKey(vkey);
    });
    while ((await fetch(this.url).catch(() => null)) === null) {
      if (child.exitCode !== null) throw new Error(`litewitness ended: ${lines.join("\n")}`);
      await delay(20);
    }
  }

  /** Kills its process; what it stored stays. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    await this.kill();
    this.#agent.kill();
  }
}

/** Hands a key to an agent, which takes none for a moment after its socket is there. */
async function addKey(agent: ChildProcess, socket: string, key: string): Promise<void> {
  for (;;) {
    try {
      if (existsSync(socket)) {
        execFileSync("ssh-add", ["-q", key], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" });
        return;
      }
    } catch (thrown) {
      if (agent.exitCode !== null || agent.signalCode !== null) throw thrown;
    }
    await delay(10);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
