import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { CmcpError, canonicalBytes, parseJsonText, type JsonObject } from "@cmcp/boundary";

/** How long an agent, which may have a person to ask, has to send a request again, in milliseconds. */
const VALID_MS = 900_000;
/** Requests of one session that may wait for input; an older one gives way. */
const MAX_WAITING = 64;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What a state is good for: one request of one session, and only with the parameters it was given for. */
export interface StateContext {
  readonly principal: string;
  readonly session: string;
  readonly method: string;
  readonly params: JsonObject;
}

/** What comes back with a request that is sent again. */
export interface WaitingState {
  /** The server's own state, `null` when it keeps none. */
  readonly upstream: string | null;
  /** The methods by which the server asked. */
  readonly asked: readonly string[];
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

  /** Seals what a request waits for. */
  seal(context: StateContext, { upstream, asked }: WaitingState): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, iv).setAAD(canonicalBytes({ ...context }));
    const sealed = Buffer.concat([
      iv,
      cipher.update(JSON.stringify([upstream, ...asked]), "utf8"),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    const waiting = this.#waiting.get(context.session) ?? new Map<string, number>();
    waiting.set(iv.toString("hex"), this.#now() + VALID_MS);
    const oldest = waiting.keys().next();
    if (waiting.size > MAX_WAITING && oldest.done !== true) waiting.delete(oldest.value);
    this.#waiting.set(context.session, waiting);
    return sealed.toString("base64url");
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
      const [upstream, ...asked] = Array.isArray(opened) ? opened : [];
      if ((upstream !== null && typeof upstream !== "string") || !asked.every((method) => typeof method === "string"))
        throw refused();
      return { upstream, asked };
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
