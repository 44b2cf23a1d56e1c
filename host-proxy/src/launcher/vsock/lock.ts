import { hash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { CmcpError } from "@cmcp/boundary";

/** Hexadecimal digits of a path's digest that name its lock. */
const NAME_DIGITS = 32;

/** What one gateway at a time may talk to. */
export type LockedVsock = { readonly cid: number } | { readonly hybridSocket: string };

/** A gateway's claim to a guest, for as long as its process lives. */
export interface VsockLock {
  release(): Promise<void>;
}

/**
 * Keeps a second gateway of this host away from a guest: two would launch it twice and mix their services up. The lock
 * is a name in Linux's abstract namespace (unix(7)): it belongs to a process and ends with it however it ends, so no
 * lock is ever left over. Gateways in different network namespaces do not see each other's; they meet at the services'
 * address. It keeps mistakes away and nobody else: the host is not to be trusted in any case.
 *
 * @throws CmcpError `LAUNCH_VSOCK_IN_USE` when another gateway holds it
 */
export async function lockVsock(vsock: LockedVsock): Promise<VsockLock> {
  const [name, what] =
    "cid" in vsock
      ? [`cid-${vsock.cid}`, `vsock CID ${vsock.cid}`]
      : [await pathName(vsock.hybridSocket), `the hybrid vsock socket ${vsock.hybridSocket}`];
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new CmcpError("LAUNCH_VSOCK_IN_USE", `another gateway on this host uses ${what}`, { cause })),
    );
    server.listen({ path: `\0cmcp-vsock-${name}` }, resolve);
  });
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** One name for a socket, whatever links lead to its folder. The socket itself may be made only later. */
async function pathName(path: string): Promise<string> {
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  return hash("sha256", join(folder, basename(path))).slice(0, NAME_DIGITS);
}
