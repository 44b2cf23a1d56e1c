import { once } from "node:events";
import type { Socket } from "node:net";
import type { ConnectRequest } from "./connect-request.ts";

/** Milliseconds that a head may take. */
const HEAD_MS = 5_000;

type Head =
  | Exclude<ConnectRequest, { readonly kind: "incomplete" }>
  | { readonly kind: "refused"; readonly status: 408 };

/** Reads from a server's connection until `read` knows what it begins with. The reader bounds the bytes. */
export async function readHead(
  socket: Socket,
  read: (bytes: Uint8Array) => ConnectRequest,
  ms = HEAD_MS,
): Promise<Head> {
  const late = AbortSignal.timeout(ms);
  let bytes = Buffer.alloc(0);
  for (;;) {
    const chunk: unknown = socket.read();
    if (chunk instanceof Uint8Array) {
      bytes = Buffer.concat([bytes, chunk]);
      const found = read(bytes);
      if (found.kind !== "incomplete") return found;
    } else if (socket.readableEnded || socket.destroyed) return { kind: "refused", status: 400 };
    else {
      const waiting = new AbortController();
      const signal = AbortSignal.any([late, waiting.signal]);
      const ends = ["readable", "end", "close"].map(async (event) => await once(socket, event, { signal }));
      try {
        await Promise.race(ends);
      } catch (thrown) {
        if (late.aborted) return { kind: "refused", status: 408 };
        throw thrown;
      } finally {
        for (const end of ends) end.catch(() => undefined);
        waiting.abort();
      }
    }
  }
}
