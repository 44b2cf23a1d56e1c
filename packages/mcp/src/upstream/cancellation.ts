import { methodOf } from "../protocol/methods.ts";
import { silentPeer, type Peer } from "../peer.ts";

/** True for a request that cancels what was decided. It is always allowed. */
export function isCancellation(method: string): boolean {
  return methodOf(method)?.kind === "cancellation";
}

/** What of a peer takes who its requests go to, whatever else is withheld from the server. */
export function authenticationOf(peer: Peer): Required<Pick<Peer, "authenticated">> {
  return { authenticated: (server) => peer.authenticated?.(server) };
}

/**
 * The caller as the server of a request may know it: nobody, where the request is a cancellation, so that nothing of
 * the caller's goes with it and nothing comes back.
 */
export function peerFor(method: string, peer: Peer): Peer {
  return isCancellation(method) ? { ...silentPeer(peer.signal), ...authenticationOf(peer) } : peer;
}
