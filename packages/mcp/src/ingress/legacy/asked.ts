import { randomUUID } from "node:crypto";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { RpcFailure, RpcResult } from "../../jsonrpc/message.ts";
import { UpstreamRefusal } from "../../upstream/refusal.ts";
import { requestText, type ReplyStream } from "../reply-stream.ts";
import { raced } from "../../upstream/abort.ts";

/** Questions one session's agent may have open. */
const MAX_OPEN = 32;
/** How long an agent, which may have a person to ask, has for an answer, in milliseconds. */
const ANSWER_MS = 600_000;

/** What the gateway has asked one session's agent on behalf of servers, until it answers. */
export class Asked {
  readonly #open = new Map<string, PromiseWithResolvers<JsonObject>>();

  /**
   * Puts a question on the stream of the request that it belongs to and waits for the agent's answer.
   * @throws CmcpError `OVERLOADED`, `REQUEST_CANCELLED`, `UPSTREAM_TIMEOUT`; the agent's own refusal as {@link UpstreamRefusal}
   */
  async ask(stream: ReplyStream, method: string, params: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    if (this.#open.size >= MAX_OPEN) throw new CmcpError("OVERLOADED", `more than ${MAX_OPEN} questions to this agent are open`);
    // Unguessable, so that an answer can only come from who was asked.
    const id = randomUUID();
    const answer = Promise.withResolvers<JsonObject>();
    this.#open.set(id, answer);
    const timer = setTimeout(() => answer.reject(new CmcpError("UPSTREAM_TIMEOUT", "the agent did not answer in time")), ANSWER_MS).unref();
    try {
      await stream.event(requestText(id, method, params));
      return await raced(answer.promise, signal);
    } finally {
      clearTimeout(timer);
      this.#open.delete(id);
      answer.promise.catch(() => undefined);
    }
  }

  /** Takes an answer; one to nothing that is open changes nothing. */
  settle(message: RpcResult | RpcFailure): void {
    const answer = typeof message.id === "string" ? this.#open.get(message.id) : undefined;
    if (answer === undefined) return;
    if (message.kind === "result") answer.resolve(message.result);
    else answer.reject(new UpstreamRefusal(message.error));
  }
}
