import { chmod, lstat, unlink } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { CmcpError } from "@cmcp/boundary";
import { MAX_LISTENER_STREAMS } from "../limits.ts";
import { dialCancelled, type ByteStream, type Dialer, type Listener } from "./transport.ts";

/** {@link Dialer} of a Unix socket. */
export interface UnixDialer extends Dialer {
  dial(signal: AbortSignal): Promise<Socket>;
}

/** Dials a Unix socket. */
export function unixDialer(path: string): UnixDialer {
  return {
    address: `unix:${path}`,
    dial(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(dialCancelled());
          return;
        }
        const socket = connect({ path });
        const onAbort = (): void => {
          reject(dialCancelled());
          socket.destroy();
        };
        const onError = (cause: Error): void => {
          signal.removeEventListener("abort", onAbort);
          reject(new CmcpError("WIRE_UNREACHABLE", "nothing answers on the Unix socket", { cause }));
        };
        signal.addEventListener("abort", onAbort, { once: true });
        // Stays for good: a stream that breaks before its owner listens must not end the process.
        socket.on("error", onError);
        socket.once("connect", () => {
          signal.removeEventListener("abort", onAbort);
          resolve(socket);
        });
      });
    },
  };
}

/** Bounds of a listener. */
export interface ListenOptions {
  /** Streams served at once; a connection beyond that is closed unserved. */
  readonly maxStreams?: number;
}

/**
 * Listens on a Unix socket that only this user may connect to (mode 0600). The caller makes the folder private, since a
 * socket exists for an instant before its mode is set. A socket nobody listens on any more is replaced; anything else
 * at `path` is not.
 *
 * @throws CmcpError `WIRE_UNREACHABLE` when the path cannot be listened on.
 */
export async function listenUnix(
  path: string,
  onStream: (stream: ByteStream) => void,
  options: ListenOptions = {},
): Promise<Listener> {
  await removeAbandoned(path);
  const streams = new Set<Socket>();
  const server = createServer((socket) => {
    streams.add(socket);
    socket.once("close", () => streams.delete(socket));
    onStream(socket);
  });
  server.maxConnections = options.maxStreams ?? MAX_LISTENER_STREAMS;
  await new Promise<void>((resolve, reject) => {
    // After the start this hears only failed accepts, which concern a peer that sees its connection refused.
    server.on("error", (cause) => {
      reject(new CmcpError("WIRE_UNREACHABLE", "cannot listen on the Unix socket", { cause }));
    });
    server.listen({ path }, resolve);
  });
  await chmod(path, 0o600);
  return {
    close() {
      for (const stream of streams) stream.destroy();
      return new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      });
    },
  };
}

async function removeAbandoned(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new CmcpError("WIRE_UNREACHABLE", "the socket's path is taken by something else");
  const answered = await new Promise<boolean>((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => {
      resolve(false);
    });
  });
  if (answered) throw new CmcpError("WIRE_UNREACHABLE", "another process listens on the Unix socket");
  await unlink(path);
}
