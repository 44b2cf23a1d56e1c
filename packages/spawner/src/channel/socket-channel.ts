import type { Socket } from "node:net";
import { CmcpError, asCmcpError, untrusted, type BufferShare } from "@cmcp/boundary";
import { CLOSE_MS, MAX_MESSAGE_BYTES } from "../limits.ts";
import type { EgressDial, MessageHandler, StdioChannel } from "./channel.ts";
import { LineSplitter } from "./lines.ts";
import { Outbox } from "./outbox.ts";

const LINE_FEED = 0x0a;

/** A started server at the other end of a connection to the spawner. */
export class SocketChannel implements StdioChannel {
  readonly digest: Uint8Array;
  readonly egress: EgressDial | null;
  readonly closed: Promise<CmcpError>;
  readonly #socket: Socket;
  readonly #buffered: BufferShare | undefined;
  readonly #outbox: Outbox;
  #why: CmcpError | undefined;
  #handled = false;

  /** @param buffered counts what is held of messages that have not arrived or left in full */
  constructor(
    socket: Socket,
    { digest, egress = null }: Pick<StdioChannel, "digest"> & Partial<Pick<StdioChannel, "egress">>,
    buffered?: BufferShare,
  ) {
    this.digest = digest;
    this.egress = egress;
    this.#buffered = buffered;
    this.#socket = socket;
    // Its end is told by `close`, which follows every error.
    socket.on("error", () => undefined);
    this.#outbox = new Outbox(socket, () => this.#stuck(), buffered);
    socket.once("close", () => buffered?.free());
    this.closed = new Promise((resolve) => {
      const over = (): void => resolve((this.#why ??= new CmcpError("UPSTREAM_UNAVAILABLE", "the stdio server ended")));
      if (socket.destroyed) over();
      else socket.once("close", over);
    });
  }

  onMessage(handler: MessageHandler): void {
    if (this.#handled) throw new CmcpError("INTERNAL", "the channel has a handler already");
    this.#handled = true;
    void this.#read(handler);
  }

  async send(message: Uint8Array, signal: AbortSignal): Promise<void> {
    if (message.includes(LINE_FEED)) throw new CmcpError("INTERNAL", "a message over stdio cannot hold a line feed");
    if (!this.#socket.writable) throw this.#why ?? new CmcpError("UPSTREAM_UNAVAILABLE", "the stdio server has ended");
    await this.#outbox.send(Buffer.concat([message, Uint8Array.of(LINE_FEED)]), signal);
  }

  async close(): Promise<void> {
    this.#why ??= new CmcpError("UPSTREAM_UNAVAILABLE", "the stdio server was closed");
    const force = setTimeout(() => this.#socket.destroy(), CLOSE_MS);
    this.#socket.end();
    // Unread output would hold back the end that follows it.
    if (!this.#handled) this.#socket.resume();
    await this.closed;
    clearTimeout(force);
  }

  #stuck(): void {
    this.#why ??= new CmcpError("UPSTREAM_TIMEOUT", "the stdio server does not read what it is sent");
    this.#socket.destroy();
  }

  async #read(handler: MessageHandler): Promise<void> {
    const lines = new LineSplitter(MAX_MESSAGE_BYTES);
    try {
      for await (const chunk of this.#socket as AsyncIterable<Uint8Array>) {
        const before = lines.held;
        this.#buffered?.take(chunk.byteLength);
        for (const line of lines.push(chunk)) await handler(untrusted(line));
        this.#buffered?.release(before + chunk.byteLength - lines.held);
      }
    } catch (thrown) {
      this.#why ??=
        thrown instanceof CmcpError
          ? thrown
          : asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the connection to the stdio server was lost");
    } finally {
      this.#socket.destroy();
    }
  }
}
