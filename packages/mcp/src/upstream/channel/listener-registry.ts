import type { ListenFilter } from "../../protocol/local-params.ts";
import { keepListening, type NotificationHandler } from "../listening.ts";
import { SessionListeners } from "./session-listeners.ts";

/** Who hears of what a filter says, until its signal aborts. */
interface Follower {
  readonly filter: ListenFilter;
  readonly notified: NotificationHandler;
  readonly signal: AbortSignal;
}

/** The {@link SessionListeners} of each session with a server, kept while anybody listens or a connection is open. */
export class ListenerRegistry {
  readonly #sessions = new Map<string, SessionListeners>();

  of(sessionKey: string): SessionListeners {
    const known = this.#sessions.get(sessionKey);
    if (known !== undefined) return known;
    const followers = new SessionListeners();
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
