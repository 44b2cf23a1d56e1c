import type { CatalogServer } from "@cmcp/catalog";
import { reportFault } from "../instance/stderr-events.ts";
import type { DriftMonitors } from "./drift-monitors.ts";
import { definitionOf } from "./server-definition.ts";
import type { Upstreams } from "./upstreams.ts";

/** The list that each notification is about. */
const CHANGED = new Map([
  ["notifications/tools/list_changed", { kind: "tool", list: "tools" }],
  ["notifications/prompts/list_changed", { kind: "prompt", list: "prompts" }],
  ["notifications/resources/list_changed", { kind: "resource", list: "resources" }],
] as const);

/** Shortest time between notifications to agents about one server, in milliseconds. */
const NOTIFY_INTERVAL_MS = 250;

/** What watching lists needs. */
export interface ListWatch {
  readonly upstreams: Pick<Upstreams, "watch">;
  readonly drift: Pick<DriftMonitors, "forgetListing">;
  readonly listeners: { listChanged(list: "tools" | "prompts" | "resources"): void };
}

/** Watches the lists of servers until their clients are closed. A changed list is compared again before its next use. */
export class ServerWatch {
  readonly #ports: ListWatch;
  readonly #watched = new Set<string>();

  constructor(ports: ListWatch) {
    this.#ports = ports;
  }

  /** Watches a server, once. */
  watch(server: CatalogServer): void {
    const definition = definitionOf(server);
    if (this.#watched.has(definition)) return;
    this.#watched.add(definition);
    const { upstreams, drift, listeners } = this.#ports;
    const due = new Set<"tools" | "prompts" | "resources">();
    const tell = (): void => {
      for (const list of due) listeners.listChanged(list);
      due.clear();
    };
    upstreams
      .watch(server, (method) => {
        const changed = CHANGED.get(method as Parameters<typeof CHANGED.get>[0]);
        if (changed === undefined) return;
        drift.forgetListing(server, changed.kind);
        if (due.size === 0) setTimeout(tell, NOTIFY_INTERVAL_MS).unref();
        due.add(changed.list);
      })
      .catch(reportFault);
  }

  /** Lets a server whose client is closed be watched again. */
  forget(server: CatalogServer): void {
    this.#watched.delete(definitionOf(server));
  }
}
