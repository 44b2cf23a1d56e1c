import { CmcpError, toBase64Url } from "@cmcp/boundary";
import { CONSENT_MS, MAX_CONSENTS, MAX_CONSENTS_OF_OWNER } from "./limits.ts";

/** What waits for a person. */
interface Pending {
  readonly owner: string;
  readonly until: number;
  /** Called once, with what the person's browser brought back. Resolves to where it goes next; `null` when that was all. */
  readonly finish: (parameters: URLSearchParams) => Promise<string | null>;
}

/** The most characters of a callback's parameters. */
const MAX_CALLBACK = 8_192;

/** Persons' consents that are under way: each has a state of its own that counts once, and for ten minutes. */
export class Consents {
  readonly #pending = new Map<string, Pending>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds: the host does not set this clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Begins to wait, and forgets the oldest of an owner that has too many. @returns the state to send along @throws CmcpError `OVERLOADED` */
  begin(owner: string, finish: Pending["finish"]): string {
    this.#forgetOld();
    const own = [...this.#pending].filter(([, pending]) => pending.owner === owner);
    for (const [state] of own.slice(0, Math.max(0, own.length + 1 - MAX_CONSENTS_OF_OWNER)))
      this.#pending.delete(state);
    if (this.#pending.size >= MAX_CONSENTS)
      throw new CmcpError("OVERLOADED", "too many consents wait for persons", { detail: { sent: 0 } });
    const state = toBase64Url(crypto.getRandomValues(new Uint8Array(32)));
    this.#pending.set(state, { owner, until: this.#now() + CONSENT_MS, finish });
    return state;
  }

  /**
   * Takes what a browser brought back. Its state is forgotten first: whatever comes of it, it counts no second time.
   * @returns where the browser goes next; `null` when that was all
   * @throws CmcpError `AUTHORIZATION_RESPONSE_INVALID` for a state that is none, was used or is too old; what `finish` throws
   */
  async complete(query: string): Promise<string | null> {
    this.#forgetOld();
    const parameters = new URLSearchParams(query.length > MAX_CALLBACK ? "" : query);
    const state = parameters.getAll("state");
    const pending = state.length === 1 ? this.#pending.get(state[0] ?? "") : undefined;
    if (pending === undefined)
      throw new CmcpError(
        "AUTHORIZATION_RESPONSE_INVALID",
        "no consent waits for this answer: it was used, is older than ten minutes, or was never asked for",
      );
    this.#pending.delete(state[0] ?? "");
    return await pending.finish(parameters);
  }

  #forgetOld(): void {
    const now = this.#now();
    for (const [state, { until }] of this.#pending) if (until <= now) this.#pending.delete(state);
  }
}
