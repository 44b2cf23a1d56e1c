import { CmcpError, canonicalText, type JsonObject } from "@cmcp/boundary";
import { inspectInputRequests, inspectNotification, inspectQuestion, inspectQuestionAnswer } from "@cmcp/inspection";
import {
  AbortScope,
  CLIENT_METHODS,
  ELICITATION_COMPLETE,
  UpstreamRefusal,
  askableParams,
  questionRefusal,
  relatedTo,
  withoutTasks,
  type ClientCapabilities,
  type LogLevel,
  type Outcome,
  type Peer,
  type PeerEgress,
  type RpcBody,
  type ServerAuthentication,
} from "@cmcp/mcp";
import { methodsOf, toInputRequests, type PendingQuestions } from "./pending-questions.ts";
import { ServerAuthentications } from "./server-authentications.ts";
import { UrlElicitations } from "./url-elicitations.ts";
import type { CallCommitments } from "../record/session-commitments.ts";
import type { Detail } from "./ending.ts";
import { questionWithheld, type DeliveryDecider } from "./decide-delivery.ts";
import type { CallEgress } from "./decide-egress.ts";
import type { QuestionDecider } from "./decide-questions.ts";

/** Most questions that one request or task can have open: as many as an agent can answer in one request. */
const MAX_QUESTIONS = 16;

/** What a server may send to the agent before its result. */
export interface InspectedPeerOptions {
  /** Most bytes of all messages before the result. */
  readonly maxBytes: number;
  /** Whether fields are redacted from the result. Free text could repeat them, so none is delivered before it. */
  readonly withholdText: boolean;
  /**
   * `buffered`: each message is counted before it is delivered. `async`: it is delivered first, and a message over the
   * limit ends the stream.
   */
  readonly mode: "buffered" | "async";
  /** Whether the server may answer with a task. */
  readonly mayBecomeTask: boolean;
  /** The gateway's id of the task that the request is about; `null` for none. */
  readonly taskId: string | null;
  /** Decides what the server may ask. */
  readonly questions: Pick<QuestionDecider, "permit" | "detail">;
  /** Decides each message that the agent is to get. */
  readonly delivery: Pick<DeliveryDecider, "permits">;
  /** Decides where the server connects to; absent for a server without a way out. */
  readonly egress?: CallEgress | undefined;
  /** Get every message of the server, every message that the agent gets, and the agent's answers. */
  readonly commitments: Pick<CallCommitments, "response" | "upstream" | "answers">;
  /** Called with each message before the agent gets it. */
  readonly onMessage: (message: JsonObject) => void;
  /** Called before an answer of the agent goes to the server. @throws CmcpError if it may not leave */
  readonly beforeAnswer: () => Promise<void>;
  /** Called before the first message reaches the agent. From then on the data that the server can return counts as seen. */
  readonly onFirstMessage: () => void;
}

/** The agent as one server sees it during one call. Every message in either direction is rebuilt, counted and hashed for the record. */
export class InspectedPeer implements Peer {
  readonly #peer: Peer;
  readonly #options: InspectedPeerOptions;
  readonly #scope: AbortScope;
  readonly #elicitations = new UrlElicitations();
  readonly #servers = new ServerAuthentications();
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

  /** Stops aborting: the call is over. */
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

  get egress(): PeerEgress | undefined {
    return this.#options.egress;
  }

  present(outcome: Outcome): RpcBody {
    return this.#peer.present(outcome);
  }

  authenticated(server: ServerAuthentication): void {
    this.#servers.add(server);
  }

  /** Why this peer aborted the call; `null` if it did not. */
  get violation(): CmcpError | null {
    return this.#violation;
  }

  /** Who the requests went to, and counts and hash of the messages between server and agent, for the call's entry. */
  get detail(): Detail {
    const { answers } = this.#options.commitments;
    return {
      ...this.#servers.detail,
      ...(this.#deliveredCount === 0 ? {} : { events_delivered: this.#deliveredCount }),
      ...(this.#askedCount === 0 ? {} : { questions_asked: this.#askedCount }),
      ...(answers.length === 0 ? {} : { answers_payload_hash: answers.digest() }),
      ...this.#options.questions.detail,
      ...this.#options.egress?.detail,
    };
  }

  async notify(method: string, params: JsonObject): Promise<void> {
    this.#options.commitments.upstream.add({ method, params });
    const message = this.#inspectNotification(method, params);
    if (message === null || !this.#options.delivery.permits(message)) return;
    if (this.#options.mode === "async") {
      await this.#deliver(method, message);
      this.#count(message);
      return;
    }
    this.#count(message);
    await this.#deliver(method, message);
  }

  /**
   * Inspects and decides the questions of an answer that requires input. The agent answers them when it repeats its request.
   * @returns the questions as the agent gets them
   * @throws CmcpError `POLICY_DENY` if policy refuses one or free text is withheld, `UPSTREAM_INPUT_REQUIRED` if the agent does not offer
   * such input
   */
  permitInputRequests(inputRequests: JsonObject): PendingQuestions {
    const inspected = inspectInputRequests(inputRequests, this.#options);
    if (inspected === null || Object.keys(inspected).length > MAX_QUESTIONS)
      throw questionNotAllowed(this.#options.withholdText);
    const question = this.#askable(inspected);
    const methods = methodsOf(question);
    this.#reportFirstMessage();
    if (!this.#options.delivery.permits(toInputRequests(question))) throw questionWithheld();
    for (const method of methods) this.#options.questions.permit(method);
    return question;
  }

  async ask(method: string, params: JsonObject, until?: AbortSignal): Promise<JsonObject> {
    this.#options.commitments.upstream.add({ method, params });
    this.#count(params);
    this.#reportFirstMessage();
    const permitted = this.#options.questions.permit(method);
    const inspected = inspectQuestion(method, params, this.#options);
    if (inspected === null) throw questionNotAllowed(this.#options.withholdText);
    const question = relatedTo(askableParams(this.#peer.capabilities, method, inspected), this.#options.taskId);
    if (!this.#options.delivery.permits(question)) throw questionWithheld();
    this.#elicitations.add(method, question);
    this.#options.onMessage(question);
    const takeBack = this.#options.commitments.response.add({ method, params: question });
    this.#askedCount += 1;
    const answer = await this.#answerTo(method, question, until).catch((thrown: unknown) => {
      if (!isForLackOfRoom(thrown)) throw thrown;
      takeBack();
      this.#askedCount -= 1;
      throw thrown;
    });
    permitted.permitAnswer(answer);
    await this.#options.beforeAnswer();
    this.#options.commitments.answers.add({ method, answer });
    return answer;
  }

  /** The agent's answer, rebuilt from the question's shape. @throws UpstreamRefusal if the agent refuses, or answers in another form */
  async #answerTo(method: string, question: JsonObject, until?: AbortSignal): Promise<JsonObject> {
    const answer = await this.#peer.ask(method, question, until).catch((thrown: unknown) => {
      throw thrown instanceof UpstreamRefusal ? questionRefusal(thrown.rpcCode) : thrown;
    });
    const checked = inspectQuestionAnswer(method, question, answer);
    if (!checked.ok) throw questionRefusal(0);
    return checked.value;
  }

  /** A notification as the agent gets it; `null` if it gets none. */
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

  /** The questions in the form that this agent supports. @throws CmcpError `UPSTREAM_INPUT_REQUIRED` for one that it does not support */
  #askable(questions: PendingQuestions): PendingQuestions {
    const question = Object.entries(questions).map(([id, { method, params }]) => {
      if (!this.#offers(method)) throw inputNotSupported();
      try {
        return [id, { method, params: askableParams(this.capabilities, method, params) }] as const;
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
    this.#options.onMessage(params);
    const takeBack = this.#options.commitments.response.add({ method, params });
    await this.#peer.notify(method, params).catch((thrown: unknown) => {
      if (isForLackOfRoom(thrown)) takeBack();
      throw thrown;
    });
    this.#deliveredCount += 1;
  }

  /** Counts the bytes of a message. @throws CmcpError `RESPONSE_SIZE_EXCEEDED`, and aborts the call at the server */
  #count(message: JsonObject): void {
    this.#bytes += canonicalText(message).length;
    if (this.#bytes <= this.#options.maxBytes) return;
    this.#violation = new CmcpError(
      "RESPONSE_SIZE_EXCEEDED",
      `the messages before the result have more than ${this.#options.maxBytes} bytes`,
    );
    this.#scope.abort(this.#violation);
    throw this.#violation;
  }
}

/** Whether a message was not handed over, as there was no room for it. The agent never gets it. */
function isForLackOfRoom(thrown: unknown): boolean {
  return thrown instanceof CmcpError && thrown.code === "OVERLOADED";
}

function inputNotSupported(): CmcpError {
  return new CmcpError("UPSTREAM_INPUT_REQUIRED", "the server asks for input of a kind this agent does not offer", {
    detail: { sent: 1 },
  });
}

/** The error for a question that is not delivered. Its free text could repeat redacted fields. */
function questionNotAllowed(withholdText: boolean): CmcpError {
  return withholdText
    ? new CmcpError(
        "POLICY_DENY",
        "policy redacts fields of this call, so the server may not send questions, whose text could repeat them",
        { detail: { sent: 1 } },
      )
    : new CmcpError("UPSTREAM_PROTOCOL_ERROR", "the server's question does not have a form of MCP", {
        detail: { sent: 1 },
      });
}
