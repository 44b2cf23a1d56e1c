import { approvedOf } from "@cmcp/catalog";
import { reportFault } from "../instance/stderr-events.ts";
import type { Subscriptions } from "../servers/subscriptions.ts";
import type { Upstreams } from "../servers/upstreams.ts";
import type { SendPorts } from "./send-upstream.ts";

/** Where subscriptions are kept, and how servers hear of them. */
export interface SubscribePorts {
  readonly subscriptions: Pick<Subscriptions, "followedUris" | "add">;
  readonly upstreams: Pick<Upstreams, "subscribe" | "unfollow">;
}

/**
 * Follows a resource for a session, as its server agrees to tell of it: asked each time anew, as the server may refuse by then.
 * What this gives rejects with the server's refusal as `UPSTREAM_CALL_REFUSED`, and with `OVERLOADED` for more than a session may follow.
 */
export function subscriber({ subscriptions, upstreams }: SubscribePorts): SendPorts["subscribe"] {
  return async ({ recorded: { session }, request: { name: uri } }, { target }, request, peer) => {
    const { server } = approvedOf(target);
    const followed = subscriptions.followedUris(session, server).filter((known) => known !== uri);
    await upstreams.subscribe(server, session, { request, followed }, peer);
    try {
      subscriptions.add(session, server, uri);
    } catch (thrown) {
      // The server would tell of what nobody hears.
      upstreams.unfollow(server, session, uri).catch(reportFault);
      throw thrown;
    }
  };
}
