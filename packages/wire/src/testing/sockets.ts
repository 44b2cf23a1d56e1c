import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { examine, untrusted, type CmcpError, type Untrusted } from "@cmcp/boundary";
import type { IncomingExchange } from "../exchange.ts";
import { decodeFrame, encodeFrame, type Frame } from "../frame.ts";
import { Framer } from "../framer.ts";
import { ExchangePool, type PoolOptions } from "../pool.ts";
import { serveStream, type ServeOptions } from "../serve.ts";
import { listenUnix, unixDialer } from "../transport/unix.ts";

/** A socket path in a folder of its own, removed after the test. */
export async function socketPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-wire-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "s");
}

/** A responder on a Unix socket, and a pool that opens exchanges on it. */
export async function served(
  t: TestContext,
  accept: (exchange: IncomingExchange) => Promise<void>,
  options: { pool?: Partial<PoolOptions>; serve?: ServeOptions } = {},
): Promise<{ path: string; pool: ExchangePool; faults: CmcpError[]; streams: () => number }> {
  const path = await socketPath(t);
  const faults: CmcpError[] = [];
  let streams = 0;
  const listener = await listenUnix(path, (stream) => {
    streams += 1;
    serveStream(stream, accept, { onFault: (error) => faults.push(error), ...options.serve });
  });
  const pool = new ExchangePool(unixDialer(path), { maxStreams: 4, ...options.pool });
  t.after(async () => {
    await pool.close();
    await listener.close();
  });
  return { path, pool, faults, streams: () => streams };
}

/** Answers with the body it gets. */
export async function echo(exchange: IncomingExchange): Promise<void> {
  await exchange.respond({ status: 200, headers: { "x-kind": exchange.opening.t } });
  for await (const chunk of exchange.body) await exchange.write(examine(chunk));
  await exchange.end();
}

/** A peer that speaks frames by hand. */
export class RawPeer {
  readonly socket: Socket;
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;
  #gone = false;

  constructor(socket: Socket) {
    this.socket = socket;
    const framer = new Framer();
    socket.on("data", (chunk) => {
      framer.push(untrusted(chunk), (payload) => {
        this.#frames.push(decodeFrame(payload));
      });
      this.#wake?.();
    });
    socket.on("end", () => {
      this.#gone = true;
      this.#wake?.();
    });
    socket.on("error", () => {
      this.#gone = true;
      this.#wake?.();
    });
  }

  send(...frames: Frame[]): void {
    this.socket.write(Buffer.concat(frames.map((frame) => encodeFrame(frame))));
  }

  /** {@link RawPeer.send}, with what came of it: false when the other side is gone. */
  async delivered(...frames: Frame[]): Promise<boolean> {
    return await new Promise((resolve) => {
      this.socket.write(Buffer.concat(frames.map((frame) => encodeFrame(frame))), (error) => {
        resolve(error === undefined || error === null);
      });
    });
  }

  /** The next frame, or `"closed"`. */
  async next(): Promise<Frame | "closed"> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#gone) return "closed";
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** A hand-driven opener connected to a responder. */
export async function rawOpener(t: TestContext, path: string): Promise<RawPeer> {
  // Reads on after it has written its last, and the other way round.
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, "connect");
  t.after(() => socket.destroy());
  return new RawPeer(socket);
}

/** A pool connected to hand-driven responders, one per stream. */
export async function rawResponder(
  t: TestContext,
  options: Partial<PoolOptions> = {},
): Promise<{ pool: ExchangePool; peer: () => Promise<RawPeer>; path: string }> {
  const path = await socketPath(t);
  const peers: RawPeer[] = [];
  let wake: (() => void) | undefined;
  const server = createServer((socket) => {
    t.after(() => socket.destroy());
    peers.push(new RawPeer(socket));
    wake?.();
  });
  server.listen({ path });
  await once(server, "listening");
  const pool = new ExchangePool(unixDialer(path), { maxStreams: 4, ...options });
  t.after(async () => {
    await pool.close();
    server.close();
  });
  return {
    pool,
    path,
    async peer() {
      while (peers.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const peer = peers.shift();
      if (peer === undefined) throw new Error("no peer");
      return peer;
    },
  };
}

/** All bytes of a body. */
export async function collect(body: AsyncIterable<Untrusted<Uint8Array>>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(examine(chunk));
  return Buffer.concat(chunks);
}
