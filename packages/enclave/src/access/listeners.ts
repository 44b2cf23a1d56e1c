import { SharedSlots, type JsonObject } from "@cmcp/boundary";
import type { ListenFilter } from "@cmcp/mcp";

/** Streams that listen: in all, and of one principal. */
export const MAX_LISTENERS = 1_024;
const MAX_PER_PRINCIPAL = 32;

/** The session of a stream that listens. */
export interface ListeningSession {
  readonly id: string;
  readonly principalId: string;
  /** What needs the session; it is not idle until this is 0. */
  inUse: number;
}

/** A stream on which an agent hears of changes. */
interface Listener {
  readonly session: ListeningSession;
  readonly filter: ListenFilter;
  readonly notify: (method: string, params: JsonObject) => void;
}

/** What a list holds, and the notification that says it changed. */
const LIST_CHANGED = {
  tools: { method: "notifications/tools/list_changed", wanted: "toolsListChanged" },
  prompts: { method: "notifications/prompts/list_changed", wanted: "promptsListChanged" },
  resources: { method: "notifications/resources/list_changed", wanted: "resourcesListChanged" },
} as const;

/** The agents that listen for changes, bounded in number. */
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
    // A session that is listened to is in use.
    session.inUse += 1;
    const end = (): void => {
      releaseSlot();
      this.#all.delete(listener);
      session.inUse -= 1;
    };
    signal.addEventListener("abort", end, { once: true });
  }

  /** Tells everyone who wants to hear of it that a list may be another now. */
  listChanged(list: keyof typeof LIST_CHANGED): void {
    const { method, wanted } = LIST_CHANGED[list];
    for (const { filter, notify } of this.#all) if (filter[wanted]) notify(method, {});
  }

  /** Tells one session's streams that follow it of a resource that changed. */
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
