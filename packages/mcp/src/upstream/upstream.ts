import type { JsonObject } from "@cmcp/boundary";
import type { ListenFilter } from "../protocol/local-params.ts";
import type { ListKind } from "../protocol/methods.ts";
import type { Peer, UpstreamAnswer } from "../peer.ts";
import type { NotificationHandler } from "./listening.ts";

/** One request to a server, as MCP names it. */
export interface UpstreamRequest {
  readonly method: string;
  readonly params: JsonObject;
  /** With `tools/call`: the approved schema, whose `x-mcp-header` marks say what headers repeat. */
  readonly inputSchema?: JsonObject;
}

/** What is under way with a server. */
export interface UpstreamLoad {
  /** Requests that wait for an answer. */
  readonly requests: number;
  /** Streams and connections that stay open. */
  readonly streams: number;
  /**
   * Log messages and questions of servers since the start that could have been about several requests, or about none,
   * and so reached nobody.
   */
  readonly unattributed: number;
}

/** A tool server, whatever its transport. A session key stands for one session of the gateway. */
export interface Upstream {
  readonly load: UpstreamLoad;
  /**
   * Sends one request on behalf of a session. What the server sends before its answer goes to `peer`; its answer may be
   * that it needs input first. Errors say in `detail.sent` whether the request can have reached the server.
   */
  request(sessionKey: string, request: UpstreamRequest, peer: Peer): Promise<UpstreamAnswer>;
  /** What the server lists now, all pages. */
  list(sessionKey: string, kind: ListKind, signal: AbortSignal): Promise<JsonObject[]>;
  /**
   * Hears of changes until `signal` aborts, whatever becomes of connections; resolves then, or when the server cannot
   * tell. Never throws.
   */
  listen(sessionKey: string, filter: ListenFilter, notified: NotificationHandler, signal: AbortSignal): Promise<void>;
  /** Gives up a subscription, where a server is not told of it when the last who listens has left. Never throws. */
  unsubscribe(sessionKey: string, uri: string): Promise<void>;
  /** Ends a session with the server. Never throws. */
  closeSession(sessionKey: string): Promise<void>;
  close(): Promise<void>;
}
