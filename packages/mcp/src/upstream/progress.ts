import type { JsonObject } from "@cmcp/boundary";
import type { RpcNotification } from "../jsonrpc/message.ts";
import { logLevel, isWanted } from "../log-level.ts";
import { readTrace } from "../protocol/trace.ts";
import { protocolFault } from "./fault.ts";
import type { Peer } from "../peer.ts";

/** Notifications a server may send with one answer; beyond it the answer is given up. */
export const MAX_NOTIFICATIONS = 10_000;

/** What belongs to a request and is passed on: its progress and its log messages. */
const REQUEST_SCOPED: readonly string[] = ["notifications/progress", "notifications/message"];

/** A log message as it is passed on: rebuilt from the members that MCP gives it. */
export function logParams({ level, logger, data }: JsonObject): JsonObject {
  return {
    ...(logLevel(level) === undefined ? {} : { level }),
    ...(typeof logger === "string" ? { logger } : {}),
    ...(data === undefined ? {} : { data }),
  };
}

/** The notifications of one request, on their way from the server to the caller. */
export class Progress {
  readonly #peer: Peer;
  readonly #progressToken: number;
  #passed = 0;

  /** @param token the progress token the server is given; never the caller's own, which other callers may choose too */
  constructor(peer: Peer, token: number) {
    this.#peer = peer;
    this.#progressToken = token;
  }

  /** `_meta` of the request: the caller's trace context, with our token where progress is wanted. */
  meta(params: JsonObject): JsonObject {
    const own = readTrace(params._meta) ?? {};
    return this.#peer.progressToken !== null ? { ...own, progressToken: this.#progressToken } : own;
  }

  /**
   * Passes a notification on, without the token, when it is about this request; drops any other.
   * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR` for a flood
   */
  async pass({ method, params }: RpcNotification): Promise<void> {
    this.#passed += 1;
    if (this.#passed > MAX_NOTIFICATIONS)
      throw protocolFault(`the tool server sent more than ${MAX_NOTIFICATIONS} notifications with one answer`);
    if (!REQUEST_SCOPED.includes(method) || params === null) return;
    if (method === "notifications/progress") {
      const { progressToken, progress, total, message } = params;
      if (progressToken !== this.#progressToken || this.#peer.progressToken === null || typeof progress !== "number")
        return;
      await this.#peer.notify(method, {
        progress,
        ...(typeof total === "number" ? { total } : {}),
        ...(typeof message === "string" ? { message } : {}),
      });
      return;
    }
    if (this.#peer.wantsLog && isWanted(params.level, this.#peer.logLevel))
      await this.#peer.notify(method, logParams(params));
  }
}
