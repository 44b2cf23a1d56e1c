import { networkInterfaces } from "node:os";

/** What keeps this process from the network, as the process itself can see it. */
export type Isolation = "network-namespace" | "none";

/**
 * In an empty network namespace no interface has an address, the loopback included. Anything else
 * means sockets could leave, so the answer is `none` whatever the launcher claims.
 */
export function observeIsolation(): Isolation {
  return Object.keys(networkInterfaces()).length === 0 ? "network-namespace" : "none";
}
