import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { logLevel } from "../../log-level.ts";
import { META } from "../../modern/meta-keys.ts";
import type { Peer } from "../../peer.ts";
import { readClientCapabilities, type ClientCapabilities } from "../../protocol/client-capabilities.ts";
import type { Outcome, RpcBody } from "../../protocol/outcome.ts";
import { MODERN_VERSION } from "../../versions.ts";
import type { RequestHeaders } from "../http-request.ts";
import { readProgressToken } from "../progress-token.ts";
import { acceptsStream, progressText, type ReplyStream } from "../reply-stream.ts";

/** The agent's side of one request. */
export interface ModernAgent {
  readonly headers: RequestHeaders;
  readonly stream: ReplyStream;
  /** Aborts when the agent goes away or closes the response stream. */
  readonly gone: AbortSignal;
  readonly present: (outcome: Outcome) => RpcBody;
}

function metaOf(params: JsonObject): JsonObject {
  return isJsonObject(params._meta) ? params._meta : {};
}

/** What the envelope of a request declares. */
export function clientCapabilities(params: JsonObject): ClientCapabilities {
  return readClientCapabilities(metaOf(params)[META.clientCapabilities]);
}

/** The agent, as servers may reach it while they work on its request. */
export function modernPeer(
  params: JsonObject,
  capabilities: ClientCapabilities,
  { headers, stream, gone, present }: ModernAgent,
): Peer {
  const token = readProgressToken(params);
  const streams = acceptsStream(headers);
  const level = logLevel(metaOf(params)[META.logLevel]) ?? null;
  return {
    era: "modern",
    present,
    signal: gone,
    capabilities,
    progressToken: streams ? token : null,
    wantsLog: streams && level !== null,
    logLevel: level,
    input: "retry",
    notify: (method, said) => stream.event(progressText(method, said, token)),
    ask: async () => {
      throw new CmcpError("NOT_SUPPORTED", `MCP ${MODERN_VERSION} has no requests to clients`);
    },
  };
}
