import { authenticationOf } from "../cancellation.ts";
import type { Peer } from "../../peer.ts";

/**
 * A caller as a server of the legacy era may know it. There a server asks while it works, and a caller of the modern
 * era cannot be asked so. Its request ends when it is asked, and the server's, which waits for the answer, cannot end
 * before. So the server is not told that it could ask.
 */
export function legacyServerPeer(peer: Peer): Peer {
  if (peer.input !== "retry") return peer;
  return {
    era: peer.era,
    present: (outcome) => peer.present(outcome),
    signal: peer.signal,
    ...authenticationOf(peer),
    capabilities: {},
    progressToken: peer.progressToken,
    wantsLog: peer.wantsLog,
    logLevel: peer.logLevel,
    input: "none",
    egress: peer.egress,
    notify: (method, params) => peer.notify(method, params),
    ask: (method, params, until) => peer.ask(method, params, until),
  };
}
