import { accessSync, constants } from "node:fs";
import { CmcpError } from "@cmcp/boundary";
import {
  hybridVsockDialer,
  hybridVsockSocket,
  listenUnix,
  listenVsock,
  loadVsockAddon,
  vsockDialer,
  type ByteStream,
  type Dialer,
  type Listener,
} from "@cmcp/wire";
import { SERVICES_PORT } from "./ports.ts";

/** How the host reaches a guest, and the guest the host's services. */
export type VsockRoute =
  /** The kernel's vsock: the guest's CID, and the addon that gives this process AF_VSOCK. */
  | { readonly cid: number; readonly addon: string }
  /** A VMM's, or a vsock daemon's, Unix socket. */
  | { readonly hybridSocket: string };

/** Dials the enclave's port. @throws CmcpError `LAUNCH_PROGRAM_MISSING` without the addon that kernel vsock needs */
export function routeDialer(route: VsockRoute, port: number): Dialer {
  if ("hybridSocket" in route) return hybridVsockDialer(route.hybridSocket, port);
  return vsockDialer(loadVsockAddon(presentAddon(route.addon)), route.cid, port);
}

/**
 * Listens where the guest looks for the host's services, for that guest alone.
 * @throws CmcpError `LAUNCH_PROGRAM_MISSING`, `LAUNCH_VSOCK_IN_USE`
 */
export async function listenForGuest(route: VsockRoute, onStream: (stream: ByteStream) => void): Promise<Listener> {
  if ("hybridSocket" in route) {
    const path = hybridVsockSocket(route.hybridSocket, SERVICES_PORT);
    return await listenUnix(path, onStream).catch((cause: unknown) => refused(`the Unix socket ${path}`, cause));
  }
  try {
    return listenVsock(loadVsockAddon(presentAddon(route.addon)), SERVICES_PORT, onStream, { from: route.cid });
  } catch (cause) {
    return refused(`vsock port ${SERVICES_PORT}, of which a host has one for all its guests,`, cause);
  }
}

function refused(what: string, cause: unknown): never {
  if (cause instanceof CmcpError && cause.code !== "WIRE_UNREACHABLE") throw cause;
  throw new CmcpError("LAUNCH_VSOCK_IN_USE", `${what} cannot be listened on: another gateway may have it`, { cause });
}

/** The compiled addon, if it is there. @throws CmcpError `LAUNCH_PROGRAM_MISSING` */
export function presentAddon(path: string): string {
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch (cause) {
    throw new CmcpError(
      "LAUNCH_PROGRAM_MISSING",
      `the vsock addon ${path} is not there: build it with a C compiler (package build-essential) by make build, ` +
        "or use a hybrid vsock socket",
      { cause },
    );
  }
}
