import { connect, type Socket } from "node:net";
import { CmcpError } from "@cmcp/boundary";
import { withoutBrackets } from "./allow-list.ts";

/**
 * A TCP connection to a tool server, its name resolved here. Half-open, because each direction ends on its own.
 * @throws UPSTREAM_TIMEOUT after `waitMs`, name lookup included; UPSTREAM_UNAVAILABLE when it cannot be made;
 *   REQUEST_CANCELLED when `signal` fires first
 */
export function connectUpstream(host: string, port: number, waitMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: withoutBrackets(host), port, allowHalfOpen: true, noDelay: true });
    const stopWaiting = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancelled);
      socket.off("connect", connected).off("error", failed);
    };
    const refuse = (error: CmcpError): void => {
      stopWaiting();
      // A late error of the abandoned socket has no one left to tell.
      socket.on("error", () => socket.destroy()).destroy();
      reject(error);
    };
    const connected = (): void => {
      stopWaiting();
      resolve(socket);
    };
    const failed = (cause: Error): void =>
      refuse(new CmcpError("UPSTREAM_UNAVAILABLE", `cannot connect to ${host}:${port}`, { cause }));
    const cancelled = (): void => refuse(new CmcpError("REQUEST_CANCELLED", "the enclave cancelled the connection"));
    const timer = setTimeout(
      () => refuse(new CmcpError("UPSTREAM_TIMEOUT", `no connection to ${host}:${port} within ${waitMs} ms`)),
      waitMs,
    );
    socket.once("connect", connected).once("error", failed);
    if (signal.aborted) cancelled();
    else signal.addEventListener("abort", cancelled, { once: true });
  });
}
