/** A PostgreSQL server of the test's own: Debian's, or whichever is on the path, as a user that is not root. */
import { spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds until a server must answer; it may have to recover. */
const READY_MS = 60_000;
const USER = "cmcp";

/** Where `initdb` and `postgres` are; `null` on a machine without them. */
export function postgresPrograms(): string | null {
  const found = spawnSync("sh", ["-c", "command -v initdb"], { encoding: "utf8" }).stdout.trim();
  const folders = [
    ...globSync("/usr/lib/postgresql/*/bin").sort().toReversed(),
    ...(found === "" ? [] : [dirname(found)]),
  ];
  return folders.find((folder) => ["initdb", "postgres"].every((name) => existsSync(join(folder, name)))) ?? null;
}

/** Ids of a user that is not root, where the test runs as root: `initdb` refuses root. */
function identity(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  const line = lines.find((each) => each.startsWith("postgres:")) ?? lines.find((each) => each.startsWith("nobody:"));
  const [, , uid, gid] = (line ?? "nobody:x:65534:65534").split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** One server, reached over a Unix socket in its folder. */
export class PostgresServer {
  readonly #programs: string;
  readonly #folder: string;
  readonly #identity = identity();
  #process: ChildProcess | null = null;

  constructor(programs: string) {
    this.#programs = programs;
    this.#folder = mkdtempSync(join(tmpdir(), "cmcp-pg-"));
    if (this.#identity !== undefined) chownSync(this.#folder, this.#identity.uid, this.#identity.gid);
    mkdirSync(join(this.#folder, "data"), { mode: 0o700 });
    if (this.#identity !== undefined) chownSync(join(this.#folder, "data"), this.#identity.uid, this.#identity.gid);
    const made = spawnSync(
      join(programs, "initdb"),
      ["-D", join(this.#folder, "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
      { ...this.#identity, cwd: this.#folder, encoding: "utf8" },
    );
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  }

  /** The URL of a database. */
  url(database = "postgres", user = USER): string {
    return `postgres://${user}@localhost/${database}?host=${encodeURIComponent(this.#folder)}`;
  }

  /** Starts the server and waits until it answers. */
  async start(): Promise<void> {
    this.#process = spawn(
      join(this.#programs, "postgres"),
      ["-D", join(this.#folder, "data"), "-k", this.#folder, "-c", "listen_addresses=", "-c", "fsync=off"],
      { ...this.#identity, cwd: this.#folder, stdio: "ignore" },
    );
    // A test file that ends by an error runs no hook.
    process.once("exit", () => this.#process?.kill("SIGQUIT"));
    for (const end = Date.now() + READY_MS; Date.now() < end; await delay(50))
      if (this.#psql("SELECT 1", "postgres").status === 0) return;
    throw new Error("the server does not answer");
  }

  /** Runs statements with `psql`; the answer without headings. */
  sql(statements: string, database = "postgres"): string {
    const { status, stdout, stderr } = this.#psql(statements, database);
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  }

  /** Copies a store's schema to another database, as `pg_dump` and `psql` do. */
  copy(from: string, to: string): void {
    const [dump, restore] = ["pg_dump", "psql"].map((name) => join(this.#programs, name));
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", `"$1" -n cmcp_log "$3" | "$2" -q -v ON_ERROR_STOP=1 "$4"`, "sh", dump ?? "", restore ?? "", from, to],
      { cwd: this.#folder, encoding: "utf8", env: { ...process.env, PGHOST: this.#folder, PGUSER: USER } },
    );
    if (status !== 0) throw new Error(stderr);
  }

  #psql(statements: string, database: string): SpawnSyncReturns<string> {
    return spawnSync(
      join(this.#programs, "psql"),
      ["-h", this.#folder, "-U", USER, "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statements],
      { cwd: this.#folder, encoding: "utf8" },
    );
  }

  /** Ends every process of the server by SIGKILL, as a crash does. */
  async kill(): Promise<void> {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    const exited = once(this.#process as ChildProcess, "exit");
    process.kill(pid, "SIGKILL");
    await exited;
    // Its children notice, and the memory that they share is free, a moment later.
    await delay(2_000);
    rmSync(join(this.#folder, "data", "postmaster.pid"), { force: true });
  }

  /** Stops the server and removes its folder. */
  async remove(): Promise<void> {
    if (this.#process?.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, "exit");
      // Immediate shutdown: nothing of it is needed.
      this.#process.kill("SIGQUIT");
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
