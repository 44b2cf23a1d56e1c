import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import {
  CmcpError,
  canonicalBytes,
  isJsonObject,
  parseJsonText,
  type JsonObject,
  type JsonValue,
} from "@cmcp/boundary";
import type { PendingQuestions } from "./pending-questions.ts";
import type { Call } from "./call.ts";

/** How long an agent has to repeat a request, in milliseconds. It may have to ask a person. */
const VALID_MS = 900_000;
/** Most requests of one session that wait for input. The oldest is dropped for a new one. */
const MAX_WAITING = 64;
/** Longest sealed state, in characters: the limit of a `requestState` from an agent. */
const MAX_SEALED = 65_536;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What a state is bound to: one request of one session, with its parameters. */
export interface StateContext {
  readonly principal: string;
  readonly session: string;
  readonly method: string;
  /** Name and arguments. */
  readonly params: JsonObject;
}

/** What the state of a call is bound to. */
export function stateContext({ recorded: { session }, request }: Pick<Call, "recorded" | "request">): StateContext {
  const { method, name, arguments: args } = request;
  return { principal: session.principalId, session: session.id, method, params: { name, arguments: args } };
}

/** The content of a state. */
export interface WaitingState {
  /** The server's own `requestState`; `null` if there is none. */
  readonly serverState: string | null;
  /** The open questions, as the agent got them. */
  readonly questions: PendingQuestions;
}

function refused(): CmcpError {
  return new CmcpError(
    "REQUEST_STATE_INVALID",
    "requestState was issued for another request, was used before, or is older than 15 minutes",
  );
}

/**
 * The states of requests that wait for input (MCP 2026-07-28, "Multi Round-Trip Requests"). The agent holds each state encrypted with
 * AES-256-GCM under a key of this instance. A state is bound to its request and opens once.
 */
export class RequestStates {
  readonly #key = randomBytes(32);
  readonly #now: () => number;
  readonly #waiting = new Map<string, Map<string, number>>();

  /** @param now monotonic milliseconds: the host does not set this clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Encrypts a state for the agent.
   * @throws CmcpError `RESPONSE_SIZE_EXCEEDED` if it is longer than an agent may send back
   */
  seal(context: StateContext, { serverState, questions }: WaitingState): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, iv).setAAD(canonicalBytes({ ...context }));
    const sealed = Buffer.concat([
      iv,
      cipher.update(JSON.stringify([serverState, questions]), "utf8"),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    const state = sealed.toString("base64url");
    if (state.length > MAX_SEALED)
      throw new CmcpError(
        "RESPONSE_SIZE_EXCEEDED",
        `the questions of the server are longer than the ${MAX_SEALED} characters of a requestState`,
        {
          detail: { sent: 1 },
        },
      );
    const waiting = this.#waiting.get(context.session) ?? new Map<string, number>();
    waiting.set(iv.toString("hex"), this.#now() + VALID_MS);
    const oldest = waiting.keys().next();
    if (waiting.size > MAX_WAITING && oldest.done !== true) waiting.delete(oldest.value);
    this.#waiting.set(context.session, waiting);
    return state;
  }

  /** Opens a state, once. @throws CmcpError `REQUEST_STATE_INVALID` for any other request, a second time, and after 15 minutes */
  open(context: StateContext, state: string): WaitingState {
    const { iv, content } = this.#read(context, state);
    this.#waiting.get(context.session)?.delete(iv);
    return content;
  }

  /**
   * Reads a state, which can still be opened.
   * @param until it can be opened until then at least, in monotonic milliseconds
   * @throws CmcpError `REQUEST_STATE_INVALID`
   */
  peek(context: StateContext, state: string, until: number): WaitingState {
    const { iv, content } = this.#read(context, state);
    const waiting = this.#waiting.get(context.session);
    waiting?.set(iv, Math.max(waiting.get(iv) ?? 0, until));
    return content;
  }

  #read(context: StateContext, state: string): { readonly iv: string; readonly content: WaitingState } {
    const bytes = Buffer.from(state, "base64url");
    if (bytes.length < IV_BYTES + TAG_BYTES || bytes.toString("base64url") !== state) throw refused();
    const iv = bytes.subarray(0, IV_BYTES);
    const until = this.#waiting.get(context.session)?.get(iv.toString("hex"));
    if (until === undefined || until < this.#now()) throw refused();
    const decipher = createDecipheriv("aes-256-gcm", this.#key, iv)
      .setAAD(canonicalBytes({ ...context }))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString(
        "utf8",
      );
      return { iv: iv.toString("hex"), content: waitingState(parseJsonText(text)) };
    } catch {
      // Changed, or issued for another request. The error does not say which.
      throw refused();
    }
  }

  /** Drops the states of a session. */
  forget(session: string): void {
    this.#waiting.delete(session);
  }
}

/** Reads what {@link RequestStates.seal} wrote. */
function waitingState(opened: JsonValue): WaitingState {
  const [serverState = null, asked = null] = Array.isArray(opened) ? opened : [];
  if ((serverState !== null && typeof serverState !== "string") || !isJsonObject(asked)) throw refused();
  const questions = Object.entries(asked).map(([id, question]) => {
    if (!isJsonObject(question) || typeof question.method !== "string" || !isJsonObject(question.params))
      throw refused();
    return [id, { method: question.method, params: question.params }] as const;
  });
  return { serverState, questions: Object.fromEntries(questions) };
}
