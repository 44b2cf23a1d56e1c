import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import { CmcpError, asCmcpError, type BufferShare } from "@cmcp/boundary";
import type { StdioChannel } from "./channel/channel.ts";
import { SocketChannel } from "./channel/socket-channel.ts";
import { START_MS, TABLE_MS } from "./limits.ts";
import {
  SERVER_REPLY_BYTES,
  decodeServerReply,
  decodeTableAnswer,
  tableAnswerBytes,
  type ServerReply,
} from "./protocol/decode.ts";
import { encodeStart, encodeTable } from "./protocol/encode.ts";
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

/** One connection: sends a request, reads the answer of known length, and hands over the socket. */
async function exchange<T>(
  path: string,
  request: Uint8Array,
  { length, ms }: { readonly length: number; readonly ms: number },
  read: (bytes: Uint8Array) => T,
): Promise<{ readonly socket: Socket; readonly answer: T }> {
  const late = AbortSignal.timeout(ms);
  const socket = await dial(path, late);
  try {
    socket.write(request);
    return { socket, answer: read(await readExactly(socket, length, late)) };
  } catch (thrown) {
    socket.destroy();
    throw asCmcpError(
      thrown,
      "SPAWN_UNAVAILABLE",
      late.aborted ? `the spawner did not answer within ${ms} ms` : "the connection to the spawner was lost",
    );
  }
}

function requireReady({ status }: ServerReply): void {
  if (status === "ready") return;
  const [code, message] = STATUS_ERRORS[status];
  throw new CmcpError(code, message, { detail: { status, sent: 0 } });
}

/**
 * The enclave's side of a spawner (SPEC.md). The first connection tells it once which servers there are, and its end
 * is the end of them all; every further one is a server's standard input and output.
 */
export class Spawner {
  readonly confinement: Confinement;
  /** What was found for each server of the table, in its order. */
  readonly found: readonly ServerReply[];
  /** Resolves when the spawner is gone, and its servers with it. */
  readonly lost: Promise<void>;
  readonly #path: string;
  readonly #control: Socket;

  private constructor(
    path: string,
    control: Socket,
    answer: { readonly confinement: Confinement; readonly found: readonly ServerReply[] },
  ) {
    this.#path = path;
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
   * Connects to a spawner that nobody has spoken to before.
   * @param path of its Unix socket
   * @throws CmcpError `SPAWN_UNAVAILABLE`; `CONFIG_INVALID` for servers a table cannot hold
   */
  static async open(path: string, servers: readonly AllowedServer[]): Promise<Spawner> {
    const { socket, answer } = await exchange(
      path,
      encodeTable(servers),
      { length: tableAnswerBytes(servers.length), ms: TABLE_MS },
      (bytes) => decodeTableAnswer(bytes, servers.length),
    );
    return new Spawner(path, socket, answer);
  }

  /**
   * Starts the server at `index` of the table in a process of its own.
   * @param buffered counts what is held of messages that have not arrived or left in full
   * @throws CmcpError `SPAWN_DIGEST_MISMATCH`, `SPAWN_TREE_REFUSED`, `SPAWN_FAILED`, `OVERLOADED`, `SPAWN_UNAVAILABLE`
   */
  async start(index: number, buffered?: BufferShare): Promise<StdioChannel> {
    const { socket, answer } = await exchange(
      this.#path,
      encodeStart(index),
      { length: SERVER_REPLY_BYTES, ms: START_MS },
      (bytes) => {
        const found = decodeServerReply(bytes);
        requireReady(found);
        return found;
      },
    );
    return new SocketChannel(socket, answer.digest, buffered);
  }

  /** Ends the spawner and everything it started. */
  close(): void {
    this.#control.destroy();
  }
}
