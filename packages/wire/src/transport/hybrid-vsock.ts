import { CmcpError } from "@cmcp/boundary";
import type { Duplex } from "node:stream";
import type { Dialer } from "./transport.ts";
import { unixDialer } from "./unix.ts";

/** Bytes of the answer `OK <port>\n`, of which the port has ten digits at most. */
const MAX_ANSWER = 16;

/**
 * Dials a port of a guest through the Unix socket of its VMM or vsock daemon: `CONNECT <port>\n` is answered with
 * `OK <port>\n` once the guest has accepted, and from then on the socket is the connection. How the other direction
 * arrives is the daemon's too: a guest that dials port N of its host comes in at the Unix socket `<path>_N`.
 */
export function hybridVsockDialer(path: string, port: number): Dialer {
  const unix = unixDialer(path);
  return {
    address: `hybrid-vsock:${path}:${port}`,
    async dial(signal) {
      const stream = await unix.dial(signal);
      try {
        stream.write(`CONNECT ${port}\n`);
        await answered(stream, signal);
        return stream;
      } catch (thrown) {
        stream.destroy();
        throw thrown;
      }
    },
  };
}

/** The Unix socket at which connections of the guest to a port of its host arrive. */
export function hybridVsockSocket(path: string, port: number): string {
  return `${path}_${port}`;
}

/** Resolves once the answer was read and nothing more; what follows it belongs to the connection. */
function answered(stream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let line = Buffer.alloc(0);
    const settle = (error?: CmcpError): void => {
      stream.off("readable", read).off("close", onClose);
      signal.removeEventListener("abort", onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onAbort = (): void => {
      settle(new CmcpError("REQUEST_CANCELLED", "cancelled before a stream was open"));
    };
    const onClose = (): void => {
      settle(new CmcpError("WIRE_UNREACHABLE", "nothing answers on the guest's vsock port"));
    };
    const read = (): void => {
      for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
        line = Buffer.concat([line, chunk]);
        const end = line.indexOf("\n");
        if (end === -1 && line.length < MAX_ANSWER) continue;
        if (end === -1 || !/^OK \d{1,10}$/.test(line.toString("latin1", 0, end))) settle(new CmcpError("WIRE_UNREACHABLE", "the hybrid vsock socket gave no valid answer"));
        else {
          stream.unshift(line.subarray(end + 1));
          settle();
        }
        return;
      }
    };
    stream.on("readable", read).on("close", onClose);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
