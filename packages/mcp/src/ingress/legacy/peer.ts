import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { Peer } from "../../peer.ts";
import type { Outcome, RpcBody } from "../../protocol/outcome.ts";
import { askableParams } from "../../upstream/client-methods.ts";
import type { RequestHeaders } from "../http-request.ts";
import { readProgressToken } from "../progress-token.ts";
import { acceptsStream, progressText, type ReplyStream } from "../reply-stream.ts";
import type { OpenedSession } from "./opened-sessions.ts";

/** The agent's side of one request. */
export interface Agent {
  readonly stream: ReplyStream;
  /** Aborts when the agent goes away or cancels. */
  readonly gone: AbortSignal;
  readonly present: (outcome: Outcome) => RpcBody;
}

/** The agent, as servers may reach it while they work on its request. */
export function agentPeer<Session>(
  params: JsonObject,
  { headers, opened }: { readonly headers: RequestHeaders; readonly opened: OpenedSession<Session> | undefined },
  { stream, gone, present }: Agent,
): Peer {
  const token = readProgressToken(params);
  const streams = acceptsStream(headers);
  return {
    era: "legacy",
    present,
    signal: gone,
    capabilities: streams && opened !== undefined ? opened.capabilities : {},
    progressToken: streams ? token : null,
    wantsLog: streams && opened !== undefined,
    logLevel: opened?.logLevel ?? null,
    input: streams && opened !== undefined ? "ask" : "none",
    notify: (method, said) => stream.event(progressText(method, said, token)),
    ask: async (method, said, until) => {
      if (opened === undefined) throw new CmcpError("NOT_SUPPORTED", "nobody can be asked without a session");
      const ends = until === undefined ? [gone] : [gone, until];
      return await opened.questions.ask(stream, method, askableParams(opened.capabilities, method, said), ends);
    },
  };
}
