import type { ListenFilter } from "../../protocol/local.ts";
import { keepListening, type Notified } from "../listening.ts";
import { Followers } from "./followers.ts";

/** Who hears of what a filter says, until its signal aborts. */
interface Follower {
  readonly filter: ListenFilter;
  readonly notified: Notified;
  readonly signal: AbortSignal;
}

/** The {@link Followers} of each session with a server, kept while anybody listens or a connection is open. */
export class Following {
  readonly #sessions = new Map<string, Followers>();

  of(sessionKey: string): Followers {
    const known = this.#sessions.get(sessionKey);
    if (known !== undefined) return known;
    const followers = new Followers();
    this.#sessions.set(sessionKey, followers);
    return followers;
  }

  /** Forgets the followers of a session when there are none and no connection. */
  tidy(sessionKey: string): void {
    if (this.#sessions.get(sessionKey)?.unused === true) this.#sessions.delete(sessionKey);
  }

  /**
   * Has a follower hear what it wants to until its signal aborts, over as many connections as it takes. Never throws.
   * @param attend opens a connection where none is, and resolves when it has ended
   */
  async follow(
    sessionKey: string,
    { filter, notified, signal }: Follower,
    attend: () => Promise<boolean>,
  ): Promise<void> {
    if (signal.aborted) return;
    const leave = this.of(sessionKey).add(filter, (method, params) => {
      if (!signal.aborted) notified(method, params);
    });
    // At once, so that who listens anew in the same turn has not left.
    signal.addEventListener("abort", leave, { once: true });
    await keepListening(attend, signal);
    this.tidy(sessionKey);
  }
}
