import { once } from "node:events";
import type { Socket } from "node:net";
import { CmcpError } from "@cmcp/boundary";

/**
 * The next `length` bytes of a socket that nobody else reads.
 * @throws CmcpError `SPAWN_UNAVAILABLE` when it ends first, what `signal` aborts with
 */
export async function readExactly(socket: Socket, length: number, signal: AbortSignal): Promise<Uint8Array> {
  const done = new AbortController();
  const waiting = AbortSignal.any([signal, done.signal]);
  const over = Promise.race([once(socket, "end", { signal: waiting }), once(socket, "close", { signal: waiting })]);
  over.catch(() => undefined);
  try {
    for (;;) {
      const bytes: unknown = socket.read(length);
      if (bytes instanceof Uint8Array && bytes.byteLength === length) return bytes;
      // At its end a stream gives what is left, however little.
      if (bytes !== null || socket.readableEnded || socket.destroyed)
        throw new CmcpError("SPAWN_UNAVAILABLE", "the spawner ended the connection");
      await Promise.race([once(socket, "readable", { signal: waiting }), over]);
    }
  } finally {
    done.abort();
  }
}
