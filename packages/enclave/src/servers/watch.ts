import type { CatalogServer } from "@cmcp/catalog";
import { reportFault } from "../instance/stderr-events.ts";
import type { DriftMonitor } from "./drift.ts";
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
  readonly drift: Pick<DriftMonitor, "forgetListing">;
  readonly listeners: { listChanged(list: "tools" | "prompts" | "resources"): void };
}

/** Returns a function that watches the lists of a server until the process ends. A changed list is compared again before its next use. */
export function watchServers({ upstreams, drift, listeners }: ListWatch): (server: CatalogServer) => void {
  const watched = new Set<string>();
  return (server) => {
    if (watched.has(server.identity)) return;
    watched.add(server.identity);
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
  };
}
