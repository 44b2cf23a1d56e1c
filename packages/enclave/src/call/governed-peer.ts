import { CmcpError, canonicalText, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { inspectInputRequests, inspectNotification, inspectQuestion } from "@cmcp/inspection";
import {
  AbortScope,
  CLIENT_METHODS,
  ELICITATION_COMPLETE,
  relatedTo,
  withoutTasks,
  type LogLevel,
  type Peer,
} from "@cmcp/mcp";
import { Elicited } from "./elicited.ts";
import type { Questions } from "./questions.ts";

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
  /** Called before the first that the server says or asks reaches the agent: from there on the session has seen what the server can return. */
  readonly reached: () => void;
}

/** The agent as one server sees it during one call: everything that passes is inspected and counted. */
export class GovernedPeer implements Peer {
  readonly #peer: Peer;
  readonly #terms: PeerTerms;
  readonly #scope: AbortScope;
  readonly #elicited = new Elicited();
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

  get capabilities(): JsonObject {
    return this.#terms.mayBecomeTask ? this.#peer.capabilities : withoutTasks(this.#peer.capabilities);
  }

  get wantsProgress(): boolean {
    return this.#peer.wantsProgress;
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

  /** Why the call was ended from here, `null` when it was not. */
  get violation(): CmcpError | null {
    return this.#violation;
  }

  /** What had passed between server and agent before the end, for the call's entry; nothing where nothing did. */
  get counts(): Record<string, string | number> {
    return {
      ...(this.#delivered === 0 ? {} : { events_delivered: this.#delivered }),
      ...(this.#asked === 0 ? {} : { questions_asked: this.#asked }),
      ...this.#terms.questions.detail,
    };
  }

  async notify(method: string, params: JsonObject): Promise<void> {
    if (method === ELICITATION_COMPLETE && !this.#elicited.completes(params)) return;
    const inspected = inspectNotification(method, params, this.#terms);
    if (inspected === null) return;
    const said = relatedTo(inspected, this.#terms.taskId);
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
   * @returns it as the agent is to be told, and the methods the server asks by
   * @throws CmcpError `POLICY_DENY` when policy does not let the server ask for all of it or its words are withheld,
   * `UPSTREAM_INPUT_REQUIRED` when it asks for what the agent has not declared that it can give
   */
  permit(inputRequests: JsonObject): { readonly told: JsonObject; readonly methods: readonly string[] } {
    const methods = [
      ...new Set(
        Object.values(inputRequests).map((request) =>
          isJsonObject(request) && typeof request.method === "string" ? request.method : "",
        ),
      ),
    ];
    if (!methods.every((method) => this.#offers(method)))
      throw new CmcpError("UPSTREAM_INPUT_REQUIRED", "the server asks for input of a kind this agent does not offer", {
        detail: { sent: 1 },
      });
    this.#reach();
    for (const method of methods) this.#terms.questions.put(method);
    const told = inspectInputRequests(inputRequests, this.#terms);
    if (told === null) throw unasked(this.#terms);
    return { told, methods };
  }

  async ask(method: string, params: JsonObject, until?: AbortSignal): Promise<JsonObject> {
    this.#count(params);
    this.#reach();
    const question = this.#terms.questions.put(method);
    const told = inspectQuestion(method, params, this.#terms);
    if (told === null) throw unasked(this.#terms);
    this.#asked += 1;
    this.#elicited.put(method, told);
    const answer = await this.#peer.ask(method, relatedTo(told, this.#terms.taskId), until);
    question.answered();
    return answer;
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

/** Why a question is not put: it is made of words, which could repeat what is to be removed from the result, or the protocol has none of its shape. */
function unasked({ withholdText }: PeerTerms): CmcpError {
  return withholdText
    ? new CmcpError(
        "POLICY_DENY",
        "fields are removed from what this server says, so it may not ask in words of its own",
        { detail: { sent: 1 } },
      )
    : new CmcpError("UPSTREAM_PROTOCOL_ERROR", "the tool server asks what the protocol does not have", {
        detail: { sent: 1 },
      });
}
