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
  type RpcBody,
} from "@cmcp/mcp";
import { methodsOf, type AskedQuestions } from "./asked.ts";
import { Elicited } from "./elicited.ts";
import type { Detail } from "./ending.ts";
import type { Questions } from "./questions.ts";
import { Transcript } from "./transcript.ts";

/** Questions that a request or task waits with at once: as many as an agent can answer in one request. */
const MAX_QUESTIONS = 16;

/** What inspection allows a server to say before its result. */
export interface PeerTerms {
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
  readonly questions: Pick<Questions, "put" | "detail">;
  /** Takes every message that is handed to the agent. */
  readonly transcript: Transcript;
  /** Called before the first that the server says or asks reaches the agent: from there on the session has seen what the server can return. */
  readonly reached: () => void;
}

/** The agent as one server sees it during one call: everything that passes, in either direction, is rebuilt, counted and on record. */
export class InspectedPeer implements Peer {
  readonly #peer: Peer;
  readonly #terms: PeerTerms;
  readonly #scope: AbortScope;
  readonly #elicited = new Elicited();
  /** What the agent answers while the server waits. */
  readonly #answers = new Transcript();
  #bytes = 0;
  #violation: CmcpError | null = null;
  #reached = false;
  #delivered = 0;
  #asked = 0;

  constructor(peer: Peer, terms: PeerTerms) {
    this.#peer = peer;
    this.#terms = terms;
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
    return this.#terms.mayBecomeTask ? this.#peer.capabilities : withoutTasks(this.#peer.capabilities);
  }

  get progressToken(): Peer["progressToken"] {
    return this.#peer.progressToken;
  }

  get wantsLog(): boolean {
    return this.#peer.wantsLog && !this.#terms.withholdText;
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
      ...(this.#delivered === 0 ? {} : { events_delivered: this.#delivered }),
      ...(this.#asked === 0 ? {} : { questions_asked: this.#asked }),
      ...(this.#answers.length === 0 ? {} : { answers_payload_hash: this.#answers.digest() }),
      ...this.#terms.questions.detail,
    };
  }

  async notify(method: string, params: JsonObject): Promise<void> {
    const said = this.#said(method, params);
    if (said === null) return;
    if (this.#terms.mode === "async") {
      await this.#deliver(method, said);
      this.#count(said);
      return;
    }
    this.#count(said);
    await this.#deliver(method, said);
  }

  /**
   * What a server needs of an agent that sends its request again.
   * @returns it as the agent is told
   * @throws CmcpError `POLICY_DENY` when policy does not let the server ask for all of it or its words are withheld,
   * `UPSTREAM_INPUT_REQUIRED` when it asks for what the agent has not declared that it can give
   */
  permit(inputRequests: JsonObject): AskedQuestions {
    const inspected = inspectInputRequests(inputRequests, this.#terms);
    if (inspected === null || Object.keys(inspected).length > MAX_QUESTIONS) throw unaskable(this.#terms.withholdText);
    const told = this.#askableParams(inspected);
    const methods = methodsOf(told);
    this.#reach();
    for (const method of methods) this.#terms.questions.put(method);
    return told;
  }

  async ask(method: string, params: JsonObject, until?: AbortSignal): Promise<JsonObject> {
    this.#count(params);
    this.#reach();
    const question = this.#terms.questions.put(method);
    const inspected = inspectQuestion(method, params, this.#terms);
    if (inspected === null) throw unaskable(this.#terms.withholdText);
    const told = relatedTo(askableParams(this.#peer.capabilities, method, inspected), this.#terms.taskId);
    this.#asked += 1;
    this.#elicited.put(method, told);
    this.#terms.transcript.add({ method, params: told });
    const answer = await this.#answerTo(method, told, until);
    question.answered();
    this.#answers.add({ method, answer });
    return answer;
  }

  /** The agent's answer, rebuilt from what was asked. @throws UpstreamRefusal for an answer of another form, and where the agent refuses */
  async #answerTo(method: string, told: JsonObject, until?: AbortSignal): Promise<JsonObject> {
    const answer = await this.#peer.ask(method, told, until).catch((thrown: unknown) => {
      throw thrown instanceof UpstreamRefusal ? questionRefusal(thrown.rpcCode) : thrown;
    });
    const checked = inspectQuestionAnswer(method, told, answer);
    if (!checked.ok) throw questionRefusal(0);
    return checked.value;
  }

  /** A notification as the agent is told of it; `null` for one it is not. */
  #said(method: string, params: JsonObject): JsonObject | null {
    if (method === ELICITATION_COMPLETE)
      return this.#elicited.completes(params) ? { elicitationId: params.elicitationId ?? "" } : null;
    const inspected = inspectNotification(method, params, this.#terms);
    if (inspected === null) return null;
    const said = relatedTo(inspected, this.#terms.taskId);
    const { progressToken } = this.#peer;
    if (method !== "notifications/progress") return said;
    return progressToken === null ? null : { ...said, progressToken };
  }

  /** Questions as this agent can be asked them. @throws CmcpError `UPSTREAM_INPUT_REQUIRED` for one that it does not offer to answer */
  #askableParams(asked: AskedQuestions): AskedQuestions {
    const told = Object.entries(asked).map(([id, { method, params }]) => {
      if (!this.#offers(method)) throw notOffered();
      try {
        return [id, { method, params: askableParams(this.capabilities, method, params) }] as const;
      } catch {
        throw notOffered();
      }
    });
    return Object.fromEntries(told);
  }

  #offers(method: string): boolean {
    const capability = CLIENT_METHODS[method];
    return capability !== undefined && this.capabilities[capability] !== undefined;
  }

  #reach(): void {
    if (this.#reached) return;
    this.#reached = true;
    this.#terms.reached();
  }

  async #deliver(method: string, params: JsonObject): Promise<void> {
    this.#reach();
    this.#terms.transcript.add({ method, params });
    await this.#peer.notify(method, params);
    this.#delivered += 1;
  }

  /** @throws CmcpError `RESPONSE_SIZE_EXCEEDED`, which also ends the call at the server */
  #count(said: JsonObject): void {
    this.#bytes += canonicalText(said).length;
    if (this.#bytes <= this.#terms.maxBytes) return;
    this.#violation = new CmcpError(
      "RESPONSE_SIZE_EXCEEDED",
      "the server sends more before its result than the gateway delivers",
    );
    this.#scope.abort(this.#violation);
    throw this.#violation;
  }
}

function notOffered(): CmcpError {
  return new CmcpError("UPSTREAM_INPUT_REQUIRED", "the server asks for input of a kind this agent does not offer", {
    detail: { sent: 1 },
  });
}

/** A question is made of words, and words could repeat what is to be removed from the result. */
function unaskable(withholdText: boolean): CmcpError {
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
