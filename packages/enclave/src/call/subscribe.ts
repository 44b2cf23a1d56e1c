import { approvedOf } from "@cmcp/catalog";
import { reportFault } from "../instance/stderr-events.ts";
import type { Subscriptions } from "../servers/subscriptions.ts";
import type { Upstreams } from "../servers/upstreams.ts";
import type { SendPorts } from "./send-upstream.ts";

/** What subscribing needs. */
export interface SubscribePorts {
  readonly subscriptions: Pick<Subscriptions, "followedUris" | "add">;
  readonly upstreams: Pick<Upstreams, "subscribe" | "unfollow">;
}

/**
 * Returns a function that subscribes a session to a resource. It asks the server every time, because the server may
 * refuse later. It rejects with `UPSTREAM_CALL_REFUSED` if the server refuses, and with `OVERLOADED` if the session has
 * too many subscriptions.
 */
export function subscriber({ subscriptions, upstreams }: SubscribePorts): SendPorts["subscribe"] {
  return async ({ recorded: { session }, request: { name: uri } }, { target }, request, peer) => {
    const { server } = approvedOf(target);
    const followed = subscriptions.followedUris(session, server).filter((known) => known !== uri);
    await upstreams.subscribe(server, session, { request, followed }, peer);
    try {
      subscriptions.add(session, server, uri);
    } catch (thrown) {
      // Otherwise the server would send updates that nobody receives.
      upstreams.unfollow(server, session, uri).catch(reportFault);
      throw thrown;
    }
  };
}
