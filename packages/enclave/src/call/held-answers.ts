import type { Era, RpcBody } from "@cmcp/mcp";
import type { Session } from "@cmcp/session";

/** Largest answer that is held, in characters of its JSON. */
const MAX_ANSWER = 262_144;
/** Most answers and characters of one principal. */
const MAX_ANSWERS_OF_PRINCIPAL = 64;
const MAX_HELD_OF_PRINCIPAL = 2 * 1024 * 1024;
/** The same of all. */
const MAX_ANSWERS = 1_024;
const MAX_HELD = 32 * 1024 * 1024;

/** Whose answer it is, and to whom it may be given again. */
export interface AnswerHolder {
  readonly principal: string;
  /** The session, as long as it is in memory. */
  readonly session: string;
  /** The session's name in the record: after an operator's reset it is another one. */
  readonly chain: string;
  readonly era: Era;
}

interface HeldAnswer extends AnswerHolder {
  readonly body: RpcBody;
  readonly length: number;
}

/** What is held of one principal. */
interface HeldOfPrincipal {
  /** Keys, oldest first. */
  readonly keys: Set<string>;
  length: number;
}

/**
 * Answers of calls with idempotency keys, for agents that lost them. An answer goes to the session that it was made for, and to no other:
 * that session's label counts what is in it.
 */
export class HeldAnswers {
  /** By the key's digest, oldest first. */
  readonly #answers = new Map<string, HeldAnswer>();
  readonly #principals = new Map<string, HeldOfPrincipal>();
  #length = 0;

  /** Number of answers that are held. */
  get size(): number {
    return this.#answers.size;
  }

  /** Holds the answer of a call. The oldest give way; one that is too large is not held. */
  hold(key: string, holder: AnswerHolder, body: RpcBody): void {
    const { length } = JSON.stringify(body);
    if (length > MAX_ANSWER) return;
    const own = this.#principals.get(holder.principal) ?? { keys: new Set<string>(), length: 0 };
    this.#principals.set(holder.principal, own);
    this.#answers.set(key, { ...holder, body, length });
    own.keys.add(key);
    own.length += length;
    this.#length += length;
    while (own.keys.size > MAX_ANSWERS_OF_PRINCIPAL || own.length > MAX_HELD_OF_PRINCIPAL) this.#dropFirst(own.keys);
    while (this.#answers.size > MAX_ANSWERS || this.#length > MAX_HELD) this.#dropFirst(this.#answers.keys());
  }

  /** The answer of a call, if it is held for whoever asks. */
  find(key: string, { session, chain, era }: AnswerHolder): RpcBody | undefined {
    const held = this.#answers.get(key);
    return held?.session === session && held.chain === chain && held.era === era ? held.body : undefined;
  }

  /** Drops the answers of a session that is over. */
  forget({ id, principalId }: Pick<Session, "id" | "principalId">): void {
    for (const key of this.#principals.get(principalId)?.keys ?? [])
      if (this.#answers.get(key)?.session === id) this.#drop(key);
  }

  #dropFirst([key = ""]: Iterable<string>): void {
    this.#drop(key);
  }

  #drop(key: string): void {
    const held = this.#answers.get(key);
    const own = this.#principals.get(held?.principal ?? "");
    if (held === undefined || own === undefined) return;
    this.#answers.delete(key);
    own.keys.delete(key);
    own.length -= held.length;
    this.#length -= held.length;
    if (own.keys.size === 0) this.#principals.delete(held.principal);
  }
}
