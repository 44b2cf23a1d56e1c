import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { ListenFilter } from "@cmcp/mcp";
import type { RecordedSession } from "../record/recorded-session.ts";

/** Streams that listen: in all, and of one principal. */
export const MAX_LISTENERS = 1_024;
const MAX_PER_PRINCIPAL = 32;

/** A stream on which an agent hears of changes. */
interface Listener {
  readonly recorded: RecordedSession;
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

  get size(): number {
    return this.#all.size;
  }

  /** Adds a stream until `signal` aborts. @throws CmcpError `OVERLOADED` */
  add(listener: Listener, signal: AbortSignal): void {
    const { principalId } = listener.recorded.session;
    const own = [...this.#all].filter(({ recorded }) => recorded.session.principalId === principalId).length;
    if (this.#all.size >= MAX_LISTENERS || own >= MAX_PER_PRINCIPAL)
      throw new CmcpError("OVERLOADED", `a principal may listen on ${MAX_PER_PRINCIPAL} streams at a time`);
    if (signal.aborted) return;
    this.#all.add(listener);
    // A session that is listened to is in use.
    listener.recorded.session.inUse += 1;
    signal.addEventListener(
      "abort",
      () => {
        if (this.#all.delete(listener)) listener.recorded.session.inUse -= 1;
      },
      { once: true },
    );
  }

  /** Tells everyone who wants to hear of it that a list may be another now. */
  listChanged(list: keyof typeof LIST_CHANGED): void {
    const { method, wanted } = LIST_CHANGED[list];
    for (const { filter, notify } of this.#all) if (filter[wanted]) notify(method, {});
  }

  /** Tells one session's streams that follow it of a resource that changed. */
  resourceUpdated(session: string, uri: string): void {
    for (const { recorded, filter, notify } of this.#all) {
      if (
        recorded.session.id === session &&
        (filter.resourceSubscriptions === null || filter.resourceSubscriptions.includes(uri))
      )
        notify("notifications/resources/updated", { uri });
    }
  }
}
