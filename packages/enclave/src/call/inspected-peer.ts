import { CmcpError, canonicalText, type JsonObject } from "@cmcp/boundary";
import { inspectInputRequests, inspectNotification, inspectQuestion, inspectQuestionAnswer } from "@cmcp/inspection";
import {
  AbortScope,
  CLIENT_METHODS,
  ELICITATION_COMPLETE,
  UpstreamRefusal,
  askable,
  declined,
  relatedTo,
  withoutTasks,
  type ClientCapabilities,
  type LogLevel,
  type Outcome,
  type Peer,
  type RpcBody,
} from "@cmcp/mcp";
import { methodsOf, type PendingQuestions } from "./pending-questions.ts";
import { UrlElicitations } from "./url-elicitations.ts";
import type { Detail } from "./ending.ts";
import type { QuestionDecider } from "./decide-questions.ts";
import { Transcript } from "./transcript.ts";

/** Questions that a request or task waits with at once: as many as an agent can answer in one request. */
const MAX_QUESTIONS = 16;

/** What inspection allows a server to say before its result. */
export interface InspectedPeerOptions {
  /** Bytes of everything a server sends with one answer. */
  readonly maxBytes: number;
  /** True when fields are to be removed from the result: free text could repeat them, so none goes before it. */
  readonly withholdText: boolean;
  /** `buffered`: each message is inspected before it passes. `async`: it passes, and what is found ends the stream. */
  readonly mode: "buffered" | "async";
  /** Whether the server may answer with a task, where the agent understands that. */
  readonly mayBecomeTask: boolean;
  /** The task this is about, by the agent's id; `null` for none. */
  readonly taskId: string | null;
  /** What policy lets the server ask. */
  readonly questions: Pick<QuestionDecider, "permit" | "detail">;
  /** Takes every message that is handed to the agent. */
  readonly transcript: Transcript;
  /** Called before the first that the server says or asks reaches the agent: from there on the session has seen what the server can return. */
  readonly onFirstMessage: () => void;
}

/** The agent as one server sees it during one call: everything that passes, in either direction, is rebuilt, counted and on record. */
export class InspectedPeer implements Peer {
  readonly #peer: Peer;
  readonly #options: InspectedPeerOptions;
  readonly #scope: AbortScope;
  readonly #elicitations = new UrlElicitations();
  /** What the agent answers while the server waits. */
  readonly #answers = new Transcript();
  #bytes = 0;
  #violation: CmcpError | null = null;
  #hasSent = false;
  #deliveredCount = 0;
  #askedCount = 0;

  constructor(peer: Peer, options: InspectedPeerOptions) {
    this.#peer = peer;
    this.#options = options;
    this.#scope = new AbortScope(peer.signal);
  }

  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  /** The server has answered, or will not: nothing is to be aborted any more. */
  release(): void {
    this.#scope.release();
  }

  get era(): Peer["era"] {
    return this.#peer.era;
  }

  get capabilities(): ClientCapabilities {
    return this.#options.mayBecomeTask ? this.#peer.capabilities : withoutTasks(this.#peer.capabilities);
  }

  get progressToken(): Peer["progressToken"] {
    return this.#peer.progressToken;
  }

  get wantsLog(): boolean {
    return this.#peer.wantsLog && !this.#options.withholdText;
  }

  get logLevel(): LogLevel | null {
    return this.#peer.logLevel;
  }

  get input(): Peer["input"] {
    return this.#peer.input;
  }

  present(outcome: Outcome): RpcBody {
    return this.#peer.present(outcome);
  }

  /** Why the call was ended from here, `null` when it was not. */
  get violation(): CmcpError | null {
    return this.#violation;
  }

  /** What had passed between server and agent before the end, for the call's entry; nothing where nothing did. */
  get detail(): Detail {
    return {
      ...(this.#deliveredCount === 0 ? {} : { events_delivered: this.#deliveredCount }),
      ...(this.#askedCount === 0 ? {} : { questions_asked: this.#askedCount }),
      ...(this.#answers.length === 0 ? {} : { answers_payload_hash: this.#answers.digest() }),
      ...this.#options.questions.detail,
    };
  }

  async notify(method: string, params: JsonObject): Promise<void> {
    const message = this.#inspectNotification(method, params);
    if (message === null) return;
    if (this.#options.mode === "async") {
      await this.#deliver(method, message);
      this.#count(message);
      return;
    }
    this.#count(message);
    await this.#deliver(method, message);
  }

  /**
   * What a server needs of an agent that sends its request again.
   * @returns it as the agent is told
   * @throws CmcpError `POLICY_DENY` when policy does not let the server ask for all of it or its words are withheld,
   * `UPSTREAM_INPUT_REQUIRED` when it asks for what the agent has not declared that it can give
   */
  permitInputRequests(inputRequests: JsonObject): PendingQuestions {
    const inspected = inspectInputRequests(inputRequests, this.#options);
    if (inspected === null || Object.keys(inspected).length > MAX_QUESTIONS)
      throw questionNotAllowed(this.#options.withholdText);
    const question = this.#askable(inspected);
    const methods = methodsOf(question);
    this.#reportFirstMessage();
    for (const method of methods) this.#options.questions.permit(method);
    return question;
  }

  async ask(method: string, params: JsonObject, until?: AbortSignal): Promise<JsonObject> {
    this.#count(params);
    this.#reportFirstMessage();
    const permitted = this.#options.questions.permit(method);
    const inspected = inspectQuestion(method, params, this.#options);
    if (inspected === null) throw questionNotAllowed(this.#options.withholdText);
    const question = relatedTo(askable(this.#peer.capabilities, method, inspected), this.#options.taskId);
    this.#askedCount += 1;
    this.#elicitations.add(method, question);
    this.#options.transcript.add({ method, params: question });
    const answer = await this.#answerTo(method, question, until);
    permitted.permitAnswer();
    this.#answers.add({ method, answer });
    return answer;
  }

  /** The agent's answer, rebuilt from what was asked. @throws UpstreamRefusal for an answer of another form, and where the agent refuses */
  async #answerTo(method: string, question: JsonObject, until?: AbortSignal): Promise<JsonObject> {
    const answer = await this.#peer.ask(method, question, until).catch((thrown: unknown) => {
      throw thrown instanceof UpstreamRefusal ? declined(thrown.rpcCode) : thrown;
    });
    const checked = inspectQuestionAnswer(method, question, answer);
    if (!checked.ok) throw declined(0);
    return checked.value;
  }

  /** A notification as the agent is told of it; `null` for one it is not. */
  #inspectNotification(method: string, params: JsonObject): JsonObject | null {
    if (method === ELICITATION_COMPLETE)
      return this.#elicitations.completes(params) ? { elicitationId: params.elicitationId ?? "" } : null;
    const inspected = inspectNotification(method, params, this.#options);
    if (inspected === null) return null;
    const message = relatedTo(inspected, this.#options.taskId);
    const { progressToken } = this.#peer;
    if (method !== "notifications/progress") return message;
    return progressToken === null ? null : { ...message, progressToken };
  }

  /** Questions as this agent can be asked them. @throws CmcpError `UPSTREAM_INPUT_REQUIRED` for one that it does not offer to answer */
  #askable(questions: PendingQuestions): PendingQuestions {
    const question = Object.entries(questions).map(([id, { method, params }]) => {
      if (!this.#offers(method)) throw inputNotSupported();
      try {
        return [id, { method, params: askable(this.capabilities, method, params) }] as const;
      } catch {
        throw inputNotSupported();
      }
    });
    return Object.fromEntries(question);
  }

  #offers(method: string): boolean {
    const capability = CLIENT_METHODS[method];
    return capability !== undefined && this.capabilities[capability] !== undefined;
  }

  #reportFirstMessage(): void {
    if (this.#hasSent) return;
    this.#hasSent = true;
    this.#options.onFirstMessage();
  }

  async #deliver(method: string, params: JsonObject): Promise<void> {
    this.#reportFirstMessage();
    this.#options.transcript.add({ method, params });
    await this.#peer.notify(method, params);
    this.#deliveredCount += 1;
  }

  /** @throws CmcpError `RESPONSE_SIZE_EXCEEDED`, which also ends the call at the server */
  #count(message: JsonObject): void {
    this.#bytes += canonicalText(message).length;
    if (this.#bytes <= this.#options.maxBytes) return;
    this.#violation = new CmcpError(
      "RESPONSE_SIZE_EXCEEDED",
      "the server sends more before its result than the gateway delivers",
    );
    this.#scope.abort(this.#violation);
    throw this.#violation;
  }
}

function inputNotSupported(): CmcpError {
  return new CmcpError("UPSTREAM_INPUT_REQUIRED", "the server asks for input of a kind this agent does not offer", {
    detail: { sent: 1 },
  });
}

/** A question is made of words, and words could repeat what is to be removed from the result. */
function questionNotAllowed(withholdText: boolean): CmcpError {
  return withholdText
    ? new CmcpError(
        "POLICY_DENY",
        "fields are removed from what this server says, so it may not ask in words of its own",
        { detail: { sent: 1 } },
      )
    : new CmcpError("UPSTREAM_PROTOCOL_ERROR", "the server asks in a form that MCP does not have", {
        detail: { sent: 1 },
      });
}
