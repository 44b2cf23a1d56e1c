import type { CatalogServer } from "@cmcp/catalog";
import type { Peer, UpstreamRequest } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { reportFault } from "../instance/report-fault.ts";

/**
 * Follows a resource for a session, once its server has agreed to tell of it: asked each time anew, as it may not by now.
 * @param request the request for it, as the server is to get it
 * @throws CmcpError the server's refusal as `UPSTREAM_CALL_REFUSED`; `OVERLOADED` for more than a session may follow
 */
export async function subscribe(
  core: Core,
  recorded: RecordedSession,
  server: CatalogServer,
  uri: string,
  request: UpstreamRequest,
  peer: Peer,
): Promise<void> {
  const followed = core.subscriptions.of(recorded.session, server).filter((known) => known !== uri);
  await core.upstreams.subscribe(server, recorded.session, { request, followed }, peer);
  try {
    core.subscriptions.add(recorded.session, server, uri);
  } catch (thrown) {
    // The server would tell of what nobody hears.
    core.upstreams.unfollow(server, recorded.session, uri).catch(reportFault);
    throw thrown;
  }
}
