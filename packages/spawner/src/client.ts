import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import { CmcpError, asCmcpError, type BufferShare } from "@cmcp/boundary";
import type { StdioChannel } from "./channel/channel.ts";
import { SocketChannel } from "./channel/socket-channel.ts";
import { EGRESS_NAME_BYTES, MAX_ARCHIVE_BYTES, START_MS, TABLE_MS } from "./limits.ts";
import {
  SERVER_REPLY_BYTES,
  TABLE_ANSWER_BYTES,
  decodeServerReply,
  decodeTableAnswer,
  type ServerReply,
} from "./protocol/decode.ts";
import { encodeChunk, encodeEgress, encodeStart, encodeTable } from "./protocol/encode.ts";
import { readExactly } from "./protocol/read-exactly.ts";
import { STATUS_ERRORS } from "./protocol/status.ts";
import type { AllowedServer, Confinement } from "./server.ts";

async function dial(path: string, signal: AbortSignal): Promise<Socket> {
  const socket = connectSocket({ path });
  try {
    await once(socket, "connect", { signal });
    socket.on("error", () => undefined);
    return socket;
  } catch (thrown) {
    socket.on("error", () => undefined).destroy();
    throw asCmcpError(thrown, "SPAWN_UNAVAILABLE", "the spawner cannot be reached");
  }
}

/** One connection: what `work` makes of it, within so many milliseconds. The socket stays open where it succeeds. */
async function connected<T>(
  path: string,
  ms: number,
  work: (socket: Socket, late: AbortSignal) => Promise<T>,
): Promise<{ readonly socket: Socket; readonly answer: T }> {
  const late = AbortSignal.timeout(ms);
  const socket = await dial(path, late);
  const giveUp = (): void => void socket.destroy();
  late.addEventListener("abort", giveUp, { once: true });
  try {
    return { socket, answer: await work(socket, late) };
  } catch (thrown) {
    socket.destroy();
    throw asCmcpError(
      thrown,
      "SPAWN_UNAVAILABLE",
      late.aborted ? `the spawner did not answer within ${ms} ms` : "the connection to the spawner was lost",
    );
  } finally {
    late.removeEventListener("abort", giveUp);
  }
}

/** Resolves when the kernel has taken the bytes. */
async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}

/** Sends the archive of one server. Whose bytes they are, the spawner finds out. */
async function sendArchive(socket: Socket, chunks: Archive): Promise<void> {
  let sent = 0;
  for await (const chunk of chunks) {
    sent += chunk.byteLength;
    if (sent > MAX_ARCHIVE_BYTES) throw new CmcpError("SPAWN_TREE_REFUSED", "the stdio server's archive is too long");
    if (chunk.byteLength > 0) await write(socket, encodeChunk(chunk));
  }
  await write(socket, encodeChunk(new Uint8Array()));
}

function requireReady({ status }: ServerReply): void {
  if (status === "ready") return;
  const [code, message] = STATUS_ERRORS[status];
  throw new CmcpError(code, message, { detail: { status, sent: 0 } });
}

/** What one start has beside the server's place in the table. */
export interface StartOptions {
  /** Further variables of its environment, which are sent now and kept nowhere. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Counts what is held of messages that have not arrived or left in full. */
  readonly buffered?: BufferShare;
}

/** The bytes of an archive, in pieces of at most 64 KiB. */
export type Archive = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Where the archive of the tree at a path comes from. */
export type ArchiveSource = (tree: string, signal: AbortSignal) => Archive;

/**
 * The enclave's side of a spawner (SPEC.md). The first connection brings it once the servers that there are, with their
 * files, and its end is the end of them all; every further one is a server's standard input and output.
 */
export class Spawner {
  readonly confinement: Confinement;
  /** What was found for each server of the table, in its order. */
  readonly found: readonly ServerReply[];
  /** Resolves when the spawner is gone, and its servers with it. */
  readonly lost: Promise<void>;
  readonly #path: string;
  readonly #control: Socket;
  readonly #servers: readonly AllowedServer[];

  private constructor(
    path: string,
    control: Socket,
    answer: {
      readonly confinement: Confinement;
      readonly found: readonly ServerReply[];
      readonly servers: readonly AllowedServer[];
    },
  ) {
    this.#path = path;
    this.#servers = answer.servers;
    this.#control = control;
    this.confinement = answer.confinement;
    this.found = answer.found;
    this.lost = new Promise((resolve) => {
      if (control.destroyed) resolve();
      else control.once("close", () => resolve());
    });
    // Nothing comes any more; reading is what notices the end.
    control.resume();
  }

  /**
   * Connects to a spawner that nobody has spoken to before, and brings it the files of every server.
   * @param path of its Unix socket
   * @param archives where the files come from; the spawner holds them to the rules and to the servers' digests
   * @throws CmcpError `SPAWN_UNAVAILABLE`; `CONFIG_INVALID` for servers a table cannot hold; what `archives` throws
   */
  static async open(path: string, servers: readonly AllowedServer[], archives: ArchiveSource): Promise<Spawner> {
    const table = encodeTable(servers);
    const { socket, answer } = await connected(path, TABLE_MS, async (control, late) => {
      await write(control, table);
      const confinement = decodeTableAnswer(await readExactly(control, TABLE_ANSWER_BYTES, late), servers.length);
      const found: ServerReply[] = [];
      for (const { tree } of servers) {
        await sendArchive(control, archives(tree, late));
        found.push(decodeServerReply(await readExactly(control, SERVER_REPLY_BYTES, late)));
      }
      return { confinement, found, servers };
    });
    return new Spawner(path, socket, answer);
  }

  /**
   * Starts the server at `index` of the table in a process of its own.
   * @throws CmcpError `SPAWN_DIGEST_MISMATCH`, `SPAWN_TREE_REFUSED`, `SPAWN_FAILED`, `OVERLOADED`, `SPAWN_UNAVAILABLE`;
   *   `CONFIG_INVALID` for secrets that a start cannot hold
   */
  async start(index: number, { secrets = {}, buffered }: StartOptions = {}): Promise<StdioChannel> {
    const request = encodeStart(index, secrets);
    const { socket, answer } = await connected(this.#path, START_MS, async (connection, late) => {
      await write(connection, request);
      const found = decodeServerReply(await readExactly(connection, SERVER_REPLY_BYTES, late));
      requireReady(found);
      const name = this.#servers[index]?.hasEgress ? await readExactly(connection, EGRESS_NAME_BYTES, late) : null;
      return { digest: found.digest, name };
    });
    const { digest, name } = answer;
    const egress = name === null ? null : async (): Promise<Socket> => await this.#openEgress(name);
    return new SocketChannel(socket, { digest, egress }, buffered);
  }

  /** A connection that the forwarder of the running server of this name has. */
  async #openEgress(name: Uint8Array): Promise<Socket> {
    const { socket } = await connected(this.#path, START_MS, async (connection, late) => {
      await write(connection, encodeEgress(name));
      const { status } = decodeServerReply(await readExactly(connection, SERVER_REPLY_BYTES, late));
      if (status !== "ready") throw new CmcpError("SPAWN_UNAVAILABLE", "the stdio server has no way out any more");
    });
    // What goes one way ends before what goes the other.
    socket.allowHalfOpen = true;
    return socket;
  }

  /** Ends the spawner and everything it started. */
  close(): void {
    this.#control.destroy();
  }
}
