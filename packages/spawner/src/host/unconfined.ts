import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { chmod, stat } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import type { Readable, Writable } from "node:stream";
import process from "node:process";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import { DIGEST_BYTES, MAX_CHUNK_BYTES, MAX_SECRETS_BYTES, MAX_TABLE_BYTES, START_MS } from "../limits.ts";
import { MAGIC, START_HEAD_BYTES } from "../protocol/encode.ts";
import { readExactly } from "../protocol/read-exactly.ts";
import { STATUSES, type Status } from "../protocol/status.ts";
import { archiveDigest } from "../tree/read-archive.ts";
import { readSecrets, readTable, type TableServer } from "./read-table.ts";
import type { RunningSpawner } from "./running.ts";

/** Servers at one time, as many as the confining spawner runs. */
const MAX_CHILDREN = 192;
/** Milliseconds between the end of a server's input and its own, as in the confining spawner. */
const GRACE_MS = 2_000;
const UNCONFINED = 2;
/** Milliseconds between two pieces of an archive. */
const TREE_MS = 60_000;

interface Allowed extends TableServer {
  readonly status: Status;
  readonly measured: Uint8Array;
  /** The program's path. */
  readonly path: string;
}

function found({ status, measured }: { readonly status: Status; readonly measured: Uint8Array }): Uint8Array {
  return Buffer.concat([Uint8Array.of(STATUSES.indexOf(status)), measured]);
}

/** The chunks of one archive, up to its end. */
async function* chunksOf(socket: Socket): AsyncGenerator<Uint8Array> {
  for (;;) {
    const length = Buffer.from(await readExactly(socket, 4, AbortSignal.timeout(TREE_MS))).readUInt32BE();
    if (length > MAX_CHUNK_BYTES) throw new CmcpError("CONFIG_INVALID", "not a chunk of an archive");
    if (length === 0) return;
    yield await readExactly(socket, length, AbortSignal.timeout(TREE_MS));
  }
}

/** Holds the archive to the rules and to the digest; what runs are the files it was made of, where they are. */
async function allow(server: TableServer, socket: Socket, interpreters: readonly string[]): Promise<Allowed> {
  const path = server.program.startsWith("/")
    ? server.program
    : (interpreters.find((one) => basename(one) === server.program) ?? "");
  let refused = false;
  const measured = await archiveDigest(chunksOf(socket)).catch((thrown: unknown) => {
    refused = thrown instanceof CmcpError && thrown.code === "SPAWN_TREE_REFUSED";
    if (refused) return new Uint8Array(DIGEST_BYTES);
    throw thrown;
  });
  if (refused) return { ...server, path, measured, status: "tree-refused" };
  const matches = server.digest === null || Buffer.from(measured).equals(server.digest);
  return { ...server, path, measured, status: statusOf(server, path, matches) };
}

/** Nothing here holds a server to the hosts that it may reach, so one with a way out is not started. */
function statusOf({ hasEgress }: TableServer, path: string, matches: boolean): Status {
  if (!matches) return "digest-mismatch";
  if (hasEgress) return "not-confined";
  return path === "" ? "no-program" : "ready";
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

type Secrets = Readonly<Record<string, string>>;

async function run(server: Allowed, secrets: Secrets): Promise<Child> {
  const cwd = (await stat(server.tree)).isDirectory() ? server.tree : dirname(server.tree);
  // A process group of its own, so that what it starts ends with it.
  const child = spawn(server.path, server.args, {
    cwd,
    env: { ...server.environment, ...secrets },
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  child.on("error", () => undefined);
  child.stdin.on("error", () => undefined);
  return child;
}

/** Reads which server a connection starts, and its secrets. */
async function readStart(socket: Socket): Promise<{ readonly index: number; readonly secrets: Secrets }> {
  const late = AbortSignal.timeout(START_MS);
  const head = Buffer.from(await readExactly(socket, START_HEAD_BYTES, late));
  const length = head.readUInt32BE(3);
  if (length > MAX_SECRETS_BYTES) throw new CmcpError("CONFIG_INVALID", "not the secrets of a stdio server");
  return { index: head.readUInt16BE(1), secrets: readSecrets(await readExactly(socket, length, late)) };
}

function killGroup(child: Child): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

/** The spawner's protocol without any of its protection: for development on machines that cannot confine. */
class UnconfinedSpawner {
  readonly #interpreters: readonly string[];
  readonly #children = new Set<Child>();
  readonly #sockets = new Set<Socket>();
  #servers: readonly Allowed[] = [];
  #control: Socket | undefined;

  constructor(interpreters: readonly string[]) {
    this.#interpreters = interpreters;
  }

  async accept(socket: Socket, over: () => void): Promise<void> {
    socket.on("error", () => undefined);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const first = this.#control === undefined;
    this.#control ??= socket;
    if (first) socket.once("end", over).once("close", over);
    try {
      await (first ? this.#table(socket) : this.#serve(socket));
    } catch {
      socket.destroy();
    }
  }

  /** Ends every connection and every server. */
  end(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const child of this.#children) killGroup(child);
  }

  async #table(socket: Socket): Promise<void> {
    const late = AbortSignal.timeout(START_MS);
    const head = Buffer.from(await readExactly(socket, MAGIC.length + 4, late));
    const length = head.readUInt32BE(MAGIC.length);
    if (head.toString("latin1", 0, MAGIC.length) !== MAGIC || length > MAX_TABLE_BYTES)
      throw new CmcpError("CONFIG_INVALID", "not a table of stdio servers");
    const servers = readTable(await readExactly(socket, length, late));
    socket.write(Uint8Array.of(UNCONFINED, servers.length >> 8, servers.length & 0xff));
    const allowed: Allowed[] = [];
    for (const server of servers) {
      const one = await allow(server, socket, this.#interpreters);
      allowed.push(one);
      socket.write(found(one));
    }
    this.#servers = allowed;
    // Nothing more is expected; reading is what notices the end.
    socket.resume();
  }

  async #serve(socket: Socket): Promise<void> {
    const { index, secrets } = await readStart(socket);
    const server = this.#servers[index];
    const nothing = new Uint8Array(DIGEST_BYTES);
    if (server === undefined) return void socket.end(found({ status: "no-entry", measured: nothing }));
    if (server.status !== "ready") return void socket.end(found(server));
    if (this.#children.size >= MAX_CHILDREN) return void socket.end(found({ status: "busy", measured: nothing }));
    const child = await run(server, secrets);
    this.#children.add(child);
    socket.write(found(server));
    child.stdout.pipe(socket);
    socket.pipe(child.stdin);
    let grace: NodeJS.Timeout | undefined;
    socket.once("end", () => (grace = setTimeout(() => killGroup(child), GRACE_MS)));
    socket.once("close", () => killGroup(child));
    child.once("close", () => {
      clearTimeout(grace);
      this.#children.delete(child);
      killGroup(child);
      socket.destroySoon();
    });
  }
}

/**
 * Listens as the confining spawner does. Nothing is confined and the answer says so.
 * @throws CmcpError `SPAWN_UNAVAILABLE`
 */
export async function startUnconfined(path: string, interpreters: readonly string[]): Promise<RunningSpawner> {
  const spawner = new UnconfinedSpawner(interpreters);
  const listener = createServer({ allowHalfOpen: true }, (socket) => void spawner.accept(socket, end));
  const ended = new Promise<void>((resolve) => void listener.once("close", resolve));
  function end(): void {
    spawner.end();
    listener.close();
  }
  const stop = async (): Promise<void> => {
    end();
    await ended;
  };
  try {
    listener.listen(path);
    await once(listener, "listening");
    await chmod(path, 0o600);
  } catch (thrown) {
    throw asCmcpError(thrown, "SPAWN_UNAVAILABLE", "the spawner cannot listen");
  }
  return { confinement: "none", ended, stop };
}
