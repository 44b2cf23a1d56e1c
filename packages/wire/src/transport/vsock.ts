import { setImmediate as turn } from "node:timers/promises";
import { CmcpError } from "@cmcp/boundary";
import { MAX_LISTENER_STREAMS } from "../limits.ts";
import { dialCancelled, type ByteStream, type Dialer, type Listener } from "./transport.ts";
import type { ListenOptions } from "./unix.ts";
import type { NativeSocket, VsockAddon, VsockNotify } from "./vsock-addon.ts";
import { errnoOf, vsockFailure, VsockStream } from "./vsock-stream.ts";

/** The machine that runs this one (`VMADDR_CID_HOST`, linux/vm_sockets.h). */
export const HOST_CID = 2;
/** Milliseconds until a listener that was out of descriptors accepts again. */
const ACCEPT_AGAIN_MS = 100;

/** Dials a port of another machine, or of this one's host. */
export function vsockDialer(addon: VsockAddon, cid: number, port: number): Dialer {
  return {
    address: `vsock:${cid}:${port}`,
    dial(signal) {
      return new Promise<ByteStream>((resolve, reject) => {
        if (signal.aborted) {
          reject(dialCancelled());
          return;
        }
        let socket: NativeSocket | undefined;
        let stream: VsockStream | undefined;
        const give = (up: CmcpError): void => {
          signal.removeEventListener("abort", onAbort);
          if (socket !== undefined) addon.close(socket);
          reject(up);
        };
        const onAbort = (): void => {
          give(dialCancelled());
        };
        const notify: VsockNotify = (...event) => {
          if (stream !== undefined) stream.notify(...event);
          else if (event[0] === "error") give(unreachable(event[1]));
          else if (event[0] === "connected" && socket !== undefined) {
            signal.removeEventListener("abort", onAbort);
            stream = new VsockStream(addon, socket);
            // Stays for good: a stream that breaks before its owner listens must not end the process.
            stream.on("error", () => undefined);
            resolve(stream);
          }
        };
        signal.addEventListener("abort", onAbort, { once: true });
        try {
          socket = addon.connect(cid, port, notify);
        } catch (thrown) {
          give(unreachable(errnoOf(thrown)));
        }
      });
    },
  };
}

/** Bounds of a vsock listener. */
export interface VsockListenOptions extends ListenOptions {
  /** The one CID that is served; connections from any other are closed. */
  readonly from: number;
}

/** Listens on a vsock port. @throws CmcpError `WIRE_UNREACHABLE` when the port cannot be listened on */
export function listenVsock(
  addon: VsockAddon,
  port: number,
  onStream: (stream: ByteStream) => void,
  options: VsockListenOptions,
): Listener {
  const maxStreams = options.maxStreams ?? MAX_LISTENER_STREAMS;
  const streams = new Set<VsockStream>();
  let again: NodeJS.Timeout | undefined;
  const accept = (accepted: NativeSocket, cid: number): void => {
    if (cid !== options.from || streams.size >= maxStreams) {
      addon.close(accepted);
      return;
    }
    const stream = new VsockStream(addon, accepted);
    addon.adopt(accepted, stream.notify);
    streams.add(stream);
    stream.on("error", () => undefined);
    stream.once("close", () => streams.delete(stream));
    onStream(stream);
  };
  const listening = listen(addon, port, (...event) => {
    if (event[0] === "accepted") accept(event[1], event[2]);
    else if (event[0] === "error") again = setTimeout(() => addon.read(listening, true), ACCEPT_AGAIN_MS);
  });
  return {
    async close() {
      clearTimeout(again);
      for (const stream of streams) stream.destroy();
      addon.close(listening);
      // libuv has closed the descriptor, and the port is free, at the end of the turn after which the second of these
      // comes.
      await turn();
      await turn();
    },
  };
}

function listen(addon: VsockAddon, port: number, notify: VsockNotify): NativeSocket {
  try {
    return addon.listen(port, notify);
  } catch (thrown) {
    throw new CmcpError("WIRE_UNREACHABLE", "cannot listen on the vsock port", {
      cause: vsockFailure("listen", errnoOf(thrown)),
    });
  }
}

function unreachable(errno: number): CmcpError {
  return new CmcpError("WIRE_UNREACHABLE", "nothing answers on the vsock port", {
    cause: vsockFailure("connect", errno),
  });
}
