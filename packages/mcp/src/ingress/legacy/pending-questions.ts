import { randomUUID } from "node:crypto";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { RpcFailure, RpcResult } from "../../jsonrpc/message.ts";
import { questionRefusal } from "./question-refusal.ts";
import { notificationText, requestText, type ReplyStream } from "../reply-stream.ts";

/** Questions one session's agent may have open. */
const MAX_OPEN = 32;
/** How long an agent, which may have a person to ask, has for an answer, in milliseconds. */
const ANSWER_MS = 600_000;

/** A question that waits for its answer. */
interface Question {
  /** Of the request that it belongs to. */
  readonly stream: ReplyStream;
  readonly answer: PromiseWithResolvers<JsonObject>;
}

/** What the gateway has asked one session's agent on behalf of servers, until it answers. */
export class PendingQuestions {
  readonly #open = new Map<string, Question>();

  /**
   * Puts a question on the stream of the request that it belongs to and waits for the agent's answer. It is void once
   * one of `ends` aborts or the request {@link end}s, and the agent is told so.
   * @throws CmcpError `OVERLOADED`, `REQUEST_CANCELLED`, `UPSTREAM_TIMEOUT`; the agent's refusal as {@link questionRefusal}
   */
  async ask(
    stream: ReplyStream,
    method: string,
    params: JsonObject,
    ends: readonly AbortSignal[],
  ): Promise<JsonObject> {
    if (this.#open.size >= MAX_OPEN)
      throw new CmcpError("OVERLOADED", `more than ${MAX_OPEN} questions to this agent are open`);
    if (ends.some(({ aborted }) => aborted)) throw ended();
    // Unguessable, so that an answer can only come from who was asked.
    const id = randomUUID();
    const answer = Promise.withResolvers<JsonObject>();
    this.#open.set(id, { stream, answer });
    const end = (): void => this.#withdraw(id, ended());
    for (const signal of ends) signal.addEventListener("abort", end, { once: true });
    const timer = setTimeout(
      () => this.#withdraw(id, new CmcpError("UPSTREAM_TIMEOUT", "the agent did not answer in time")),
      ANSWER_MS,
    ).unref();
    try {
      stream.event(requestText(id, method, params)).catch(answer.reject);
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      for (const signal of ends) signal.removeEventListener("abort", end);
      this.#open.delete(id);
    }
  }

  /** Takes an answer; one to nothing that is open changes nothing. */
  takeAnswer(message: RpcResult | RpcFailure): void {
    if (typeof message.id !== "string") return;
    const answer = this.#open.get(message.id)?.answer;
    this.#open.delete(message.id);
    if (message.kind === "result") answer?.resolve(message.result);
    else answer?.reject(questionRefusal(message.error.code));
  }

  /** The request of that stream has its result: nobody waits for answers to what was asked for it any more. */
  end(stream: ReplyStream): void {
    for (const [id, question] of this.#open) if (question.stream === stream) this.#withdraw(id, ended());
  }

  /** Ends a question and tells the agent so, who may have a person before it (MCP 2025-11-25, "Cancellation" and "Timeouts"). */
  #withdraw(id: string, why: CmcpError): void {
    const question = this.#open.get(id);
    if (question === undefined) return;
    this.#open.delete(id);
    question.answer.reject(why);
    // An agent that reads no more needs no word of it.
    question.stream.event(notificationText("notifications/cancelled", { requestId: id })).catch(() => undefined);
  }
}

function ended(): CmcpError {
  return new CmcpError("REQUEST_CANCELLED", "the question is void: what it was for is over");
}
