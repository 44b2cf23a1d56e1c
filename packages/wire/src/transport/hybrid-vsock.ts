import type { Socket } from "node:net";
import { CmcpError } from "@cmcp/boundary";
import { dialCancelled, type Dialer } from "./transport.ts";
import { unixDialer } from "./unix.ts";

/** Bytes of the answer `OK <port>\n`, of which the port has ten digits at most. */
const MAX_ANSWER = 16;
/**
 * Dials that were given up and that the guest has not answered; one that answers none of so many is not asked again
 * before it does.
 */
const MAX_GIVEN_UP = 256;

const NEVER = new AbortController().signal;

/**
 * Dials a port of a guest through the Unix socket of its VMM or vsock daemon: `CONNECT <port>\n` is answered with
 * `OK <port>\n` once the guest has accepted, and from then on the socket is the connection. How the other direction
 * arrives is the daemon's too: a guest that dials port N of its host comes in at the Unix socket `<path>_N`.
 *
 * A cancelled dial rejects at once, and its socket stays open until it is answered. Where vhost-device-vsock cannot
 * write an answer, the thread that moves every byte of the guest ends, and nobody reaches the guest any more.
 */
export function hybridVsockDialer(path: string, port: number): Dialer {
  const unix = unixDialer(path);
  let givenUp = 0;
  return {
    address: `hybrid-vsock:${path}:${port}`,
    async dial(signal) {
      if (signal.aborted) throw dialCancelled();
      if (givenUp >= MAX_GIVEN_UP)
        throw new CmcpError("WIRE_UNREACHABLE", `the guest has not answered ${givenUp} dials that were given up`);
      const socket = await unix.dial(NEVER);
      const { promise, resolve, reject } = Promise.withResolvers<Socket>();
      let waiting = true;
      const onAbort = (): void => {
        waiting = false;
        givenUp += 1;
        // What nobody waits for keeps no process alive.
        socket.unref();
        reject(dialCancelled());
      };
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      void shakeHands(socket, port).then((refusal) => {
        signal.removeEventListener("abort", onAbort);
        if (refusal !== null || !waiting) socket.destroy();
        if (!waiting) givenUp -= 1;
        else if (refusal === null) resolve(socket);
        else reject(refusal);
      });
      return await promise;
    },
  };
}

/** The Unix socket at which connections of the guest to a port of its host arrive. */
export function hybridVsockSocket(path: string, port: number): string {
  return `${path}_${port}`;
}

/**
 * Resolves with `null` once the answer was read and nothing more, as what follows it belongs to the connection; else
 * with why there is none.
 */
function shakeHands(socket: Socket, port: number): Promise<CmcpError | null> {
  socket.write(`CONNECT ${port}\n`);
  return new Promise((resolve) => {
    let line = Buffer.alloc(0);
    const finish = (refusal: CmcpError | null): void => {
      socket.off("readable", read).off("close", onClose);
      resolve(refusal);
    };
    const onClose = (): void => {
      finish(new CmcpError("WIRE_UNREACHABLE", "nothing answers on the guest's vsock port"));
    };
    const read = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        line = Buffer.concat([line, chunk]);
        const end = line.indexOf("\n");
        if (end === -1 && line.length < MAX_ANSWER) continue;
        if (end === -1 || !/^OK \d{1,10}$/.test(line.toString("latin1", 0, end)))
          finish(new CmcpError("WIRE_UNREACHABLE", "the hybrid vsock socket gave no valid answer"));
        else {
          socket.unshift(line.subarray(end + 1));
          finish(null);
        }
        return;
      }
    };
    socket.on("readable", read).on("close", onClose);
  });
}
