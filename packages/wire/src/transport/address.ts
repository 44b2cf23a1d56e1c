import { CmcpError } from "@cmcp/boundary";
import { hybridVsockDialer } from "./hybrid-vsock.ts";
import type { ByteStream, Dialer, Listener } from "./transport.ts";
import { listenUnix, unixDialer } from "./unix.ts";
import { HOST_CID, listenVsock, vsockDialer } from "./vsock.ts";
import { loadVsockAddon } from "./vsock-addon.ts";

/**
 * Addresses as text. An absolute path is a Unix socket, `vsock:<cid>:<port>` a port of a machine, `vsock:<port>` a
 * port of this one to listen on. `hybrid-vsock:<path>:<port>` is a guest's port behind its VMM's Unix socket.
 */
const VSOCK = /^vsock:(?:(\d{1,10}):)?(\d{1,10})$/;
const HYBRID = /^hybrid-vsock:(\/.+):(\d{1,10})$/;

/**
 * The dialer of an address. `addon` is where the vsock addon is; only `vsock:` needs it.
 * @throws CmcpError `USAGE`, `WIRE_UNREACHABLE`
 */
export function dialerOf(address: string, addon: string): Dialer {
  const [, cid, port] = VSOCK.exec(address) ?? [];
  if (cid !== undefined && port !== undefined) return vsockDialer(loadVsockAddon(addon), Number(cid), Number(port));
  const [, path, guestPort] = HYBRID.exec(address) ?? [];
  if (path !== undefined) return hybridVsockDialer(path, Number(guestPort));
  if (address.startsWith("/")) return unixDialer(address);
  throw new CmcpError("USAGE", "the address is neither a Unix socket's path nor one of vsock");
}

/** Listens at an address; on vsock, for the host alone. @throws CmcpError `USAGE`, `WIRE_UNREACHABLE` */
export async function listenAt(
  address: string,
  addon: string,
  onStream: (stream: ByteStream) => void,
): Promise<Listener> {
  const [, cid, port] = VSOCK.exec(address) ?? [];
  if (cid === undefined && port !== undefined)
    return listenVsock(loadVsockAddon(addon), Number(port), onStream, { from: HOST_CID });
  if (address.startsWith("/")) return await listenUnix(address, onStream);
  throw new CmcpError("USAGE", "the address is neither a Unix socket's path nor a vsock port");
}
