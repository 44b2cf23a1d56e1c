import type { GatewayKey } from "@cmcp/seal";
import { INITIALIZE, INITIALIZED, isResult, mcpHeaders, refusalOf, sessionHeaders } from "./client.ts";
import { Connection, type Answer } from "./connection.ts";
import { nth } from "./measure.ts";
import { opened, prepare, sealKeyOf, type Prepared } from "./sealing.ts";

/** What every request of a session carries. */
type Session = Readonly<Record<string, string>>;

/** An answer that came, with what opens it. */
export interface Held {
  readonly made: Prepared;
  readonly answer: Answer;
}

/**
 * Open sessions of a gateway whose requests are sealed. They have no connection of their own: sealing takes longer than a host keeps one
 * that is idle.
 */
export class SealedSessions {
  readonly #port: number;
  readonly #key: GatewayKey;
  readonly #sessions: readonly Session[];

  private constructor(port: number, key: GatewayKey, sessions: readonly Session[]) {
    this.#port = port;
    this.#key = key;
    this.#sessions = sessions;
  }

  /** Opens so many sessions, of all principals in turn. */
  static async open(port: number, tokens: readonly string[], count: number): Promise<SealedSessions> {
    const key = await sealKeyOf(port);
    const open = async (token: string): Promise<Session> => {
      const headers = mcpHeaders(token);
      const { headers: answered } = await exchange(port, await prepare(key, "POST", headers, { body: INITIALIZE }));
      const handle = answered.get("mcp-session-id");
      if (handle === undefined) throw new Error("a sealed session could not be opened");
      const session = { ...headers, ...sessionHeaders(handle) };
      await exchange(port, await prepare(key, "POST", session, { body: INITIALIZED }));
      return session;
    };
    return new SealedSessions(
      port,
      key,
      await Promise.all(Array.from({ length: count }, (_, index) => open(nth(tokens, index)))),
    );
  }

  /** Number of sessions. */
  get count(): number {
    return this.#sessions.length;
  }

  /** Seals a call of one of the sessions, which take turns. */
  async call(session: number, body: string): Promise<Prepared> {
    return await prepare(this.#key, "POST", nth(this.#sessions, session), { body });
  }

  /** Ends all sessions. */
  async close(): Promise<void> {
    for (const session of this.#sessions)
      await exchange(this.#port, await prepare(this.#key, "DELETE", session, { body: "" }));
  }
}

/** Sends one sealed request on a connection of its own, and opens its answer. */
async function exchange(port: number, made: Prepared): Promise<Answer> {
  const connection = await Connection.open(port);
  try {
    return await opened(made, await connection.exchange(made.request));
  } finally {
    connection.close();
  }
}

/** Opens what came, once nothing is measured any more. @throws Error when one is no result */
export async function checkAnswers(held: readonly Held[]): Promise<void> {
  for (const { made, answer } of held) {
    const inner = await opened(made, answer);
    if (!isResult(inner)) throw new Error(`a sealed call was answered ${inner.status} ${refusalOf(inner)}`);
  }
}
