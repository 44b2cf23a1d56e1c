import type { JsonObject } from "@cmcp/boundary";
import type { ListenFilter } from "../../protocol/local-params.ts";
import type { NotificationHandler } from "../listening.ts";

/** What says that a list is another now, and who wants to hear of it. */
const LIST_CHANGED = new Map([
  ["notifications/tools/list_changed", "toolsListChanged"],
  ["notifications/prompts/list_changed", "promptsListChanged"],
  ["notifications/resources/list_changed", "resourcesListChanged"],
] as const);
const UPDATED = "notifications/resources/updated";

interface Listener {
  readonly sessionKey: string;
  readonly filter: ListenFilter;
  readonly notified: NotificationHandler;
}

/**
 * Who hears of what changes at one server, whichever stream it says so on: of lists, which are the server's, in any
 * session; of resources each in its own.
 */
export class ChangeListeners {
  readonly #listeners = new Set<Listener>();

  /** Adds a listener until the returned function is called. */
  hear(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Takes what the server says in a session; what says nothing of changes is nobody's. */
  told(sessionKey: string, method: string, params: JsonObject): void {
    const list = LIST_CHANGED.get(method as Parameters<typeof LIST_CHANGED.get>[0]);
    if (list === undefined && method !== UPDATED) return;
    for (const { filter, notified, ...listener } of this.#listeners) {
      if (list === undefined ? listener.sessionKey === sessionKey : filter[list]) notified(method, params);
    }
  }
}
