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
    const parts: Uint8Array[] = [];
    for (let left = length; left > 0; ) {
      // Never more than is there: a stream that is asked for more waits for room as well.
      const bytes: unknown = socket.readableLength > 0 ? socket.read(Math.min(left, socket.readableLength)) : null;
      if (bytes instanceof Uint8Array) {
        parts.push(bytes);
        left -= bytes.byteLength;
      } else {
        if (socket.readableEnded || socket.destroyed)
          throw new CmcpError("SPAWN_UNAVAILABLE", "the spawner ended the connection");
        await Promise.race([once(socket, "readable", { signal: waiting }), over]);
      }
    }
    return Buffer.concat(parts);
  } finally {
    done.abort();
  }
}
