import { SharedSlots, type JsonObject } from "@cmcp/boundary";
import type { ListenFilter } from "@cmcp/mcp";

/** Most listening streams, in all and of one principal. */
export const MAX_LISTENERS = 1_024;
const MAX_PER_PRINCIPAL = 32;

/** The session of a stream that listens. */
export interface ListeningSession {
  readonly id: string;
  readonly principalId: string;
  /** Number of users of the session. It is idle only at 0. */
  inUse: number;
}

/** A stream that notifies an agent of changes. */
interface Listener {
  readonly session: ListeningSession;
  readonly filter: ListenFilter;
  readonly notify: (method: string, params: JsonObject) => void;
}

/** The notification for each list, and the filter's member that asks for it. */
const LIST_CHANGED = {
  tools: { method: "notifications/tools/list_changed", wanted: "toolsListChanged" },
  prompts: { method: "notifications/prompts/list_changed", wanted: "promptsListChanged" },
  resources: { method: "notifications/resources/list_changed", wanted: "resourcesListChanged" },
} as const;

/** The streams that notify agents of changes. */
export class Listeners {
  readonly #all = new Set<Listener>();
  readonly #slots = new SharedSlots(MAX_LISTENERS, MAX_PER_PRINCIPAL);

  get size(): number {
    return this.#all.size;
  }

  /** Adds a stream until `signal` aborts. @throws CmcpError `OVERLOADED` */
  add(listener: Listener, signal: AbortSignal): void {
    const { session } = listener;
    const releaseSlot = this.#slots.take(session.principalId, "streams that listen");
    if (signal.aborted) return releaseSlot();
    this.#all.add(listener);
    // A session with a listening stream is not idle.
    session.inUse += 1;
    const end = (): void => {
      releaseSlot();
      this.#all.delete(listener);
      session.inUse -= 1;
    };
    signal.addEventListener("abort", end, { once: true });
  }

  /** Notifies every stream that asked for it that a list may have changed. */
  listChanged(list: keyof typeof LIST_CHANGED): void {
    const { method, wanted } = LIST_CHANGED[list];
    for (const { filter, notify } of this.#all) if (filter[wanted]) notify(method, {});
  }

  /** Notifies the session's streams that subscribe to a resource that it changed. */
  resourceUpdated(sessionId: string, uri: string): void {
    for (const { session, filter, notify } of this.#all) {
      if (
        session.id === sessionId &&
        (filter.resourceSubscriptions === null || filter.resourceSubscriptions.includes(uri))
      )
        notify("notifications/resources/updated", { uri });
    }
  }
}
