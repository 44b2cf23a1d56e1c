import { dlopen } from "node:process";
import { CmcpError } from "@cmcp/boundary";

/** An open socket of the addon; opaque. */
export interface NativeSocket {
  readonly nativeSocket: unique symbol;
}

/** What the addon tells about a socket: the event's name and what belongs to it. */
export type VsockNotify = (
  ...event:
    | ["connected"]
    | ["accepted", NativeSocket, cid: number]
    | ["data", Buffer]
    | ["end"]
    | ["writable"]
    | ["error", errno: number]
) => void;

/**
 * AF_VSOCK as `enclave-image/native/vsock.c` gives it. Nothing here blocks. Calls throw an Error with the system's
 * `errno` when the kernel refuses, `EBADF` after `close`.
 */
export interface VsockAddon {
  /** Listens on a port for connections from any CID. */
  listen(port: number, notify: VsockNotify): NativeSocket;
  connect(cid: number, port: number, notify: VsockNotify): NativeSocket;
  /** Says who hears of an accepted socket; once. */
  adopt(socket: NativeSocket, notify: VsockNotify): void;
  /** Turns `data`, `end` and, for a listener, `accepted` on and off. */
  read(socket: NativeSocket, on: boolean): void;
  /** Bytes the kernel took; fewer than given are followed by one `writable`. */
  write(socket: NativeSocket, bytes: Uint8Array): number;
  shutdown(socket: NativeSocket): void;
  close(socket: NativeSocket): void;
}

/** Loads the addon. @throws CmcpError `WIRE_UNREACHABLE` when there is none that fits this Node and machine */
export function loadVsockAddon(path: string): VsockAddon {
  const module: { exports: unknown } = { exports: {} };
  try {
    dlopen(module, path);
  } catch (cause) {
    throw new CmcpError("WIRE_UNREACHABLE", `the vsock addon ${path} does not load`, { cause });
  }
  return module.exports as VsockAddon;
}
