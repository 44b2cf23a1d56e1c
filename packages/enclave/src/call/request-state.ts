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

/** How long an agent, which may have a person to ask, has to send a request again, in milliseconds. */
const VALID_MS = 900_000;
/** Requests of one session that may wait for input; an older one gives way. */
const MAX_WAITING = 64;
/** Longest sealed state, in characters: what agents may send back. */
const MAX_SEALED = 65_536;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What a state is good for: one request of one session, and only with the parameters it was given for. */
export interface StateContext {
  readonly principal: string;
  readonly session: string;
  readonly method: string;
  /** What the request is about and asks for. */
  readonly params: JsonObject;
}

/** What the state of a call is bound to. */
export function stateContext({ recorded: { session }, request }: Pick<Call, "recorded" | "request">): StateContext {
  const { method, name, arguments: args } = request;
  return { principal: session.principalId, session: session.id, method, params: { name, arguments: args } };
}

/** What comes back with a request that is sent again. */
export interface WaitingState {
  /** The server's own state, `null` when it keeps none. */
  readonly serverState: string | null;
  /** What the server asked, as the agent was told. */
  readonly questions: PendingQuestions;
}

function refused(): CmcpError {
  return new CmcpError(
    "REQUEST_STATE_INVALID",
    "requestState was not given for this request, has been used, or is too old",
  );
}

/**
 * The states of requests that wait for input (MCP 2026-07-28, "Multi Round-Trip Requests"). A server's state goes
 * to the agent under AES-256-GCM with a key of this instance, bound to what it was given for, and comes back once.
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
   * Seals what a request waits for.
   * @throws CmcpError `RESPONSE_SIZE_EXCEEDED` for more than an agent may send back
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
      throw new CmcpError("RESPONSE_SIZE_EXCEEDED", "the server asks for more at once than a request can wait with", {
        detail: { sent: 1 },
      });
    const waiting = this.#waiting.get(context.session) ?? new Map<string, number>();
    waiting.set(iv.toString("hex"), this.#now() + VALID_MS);
    const oldest = waiting.keys().next();
    if (waiting.size > MAX_WAITING && oldest.done !== true) waiting.delete(oldest.value);
    this.#waiting.set(context.session, waiting);
    return state;
  }

  /** Opens a state, once. @throws CmcpError `REQUEST_STATE_INVALID` for one that is not for this request */
  open(context: StateContext, state: string): WaitingState {
    const bytes = Buffer.from(state, "base64url");
    if (bytes.length < IV_BYTES + TAG_BYTES || bytes.toString("base64url") !== state) throw refused();
    const iv = bytes.subarray(0, IV_BYTES);
    const waiting = this.#waiting.get(context.session);
    const until = waiting?.get(iv.toString("hex"));
    if (waiting === undefined || until === undefined || until < this.#now()) throw refused();
    const decipher = createDecipheriv("aes-256-gcm", this.#key, iv)
      .setAAD(canonicalBytes({ ...context }))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString(
        "utf8",
      );
      const opened = parseJsonText(text);
      waiting.delete(iv.toString("hex"));
      return waitingState(opened);
    } catch {
      // Changed, or given for another request: which of the two is nobody's business.
      throw refused();
    }
  }

  /** Forgets what a session's requests wait for. */
  forget(session: string): void {
    this.#waiting.delete(session);
  }
}

/** What {@link RequestStates.seal} wrote. */
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
