import type { Catalog, CatalogServer, Target } from "@cmcp/catalog";
import { DriftMonitor, type ListReader } from "./drift.ts";

/**
 * A drift monitor for each catalog that calls are decided under. A call that is under way when another catalog comes into force is still
 * compared with its own.
 */
export class DriftMonitors {
  readonly #list: ListReader;
  readonly #maxAgeMs: number;
  readonly #monitors = new Map<Catalog, DriftMonitor>();

  constructor(list: ListReader, maxAgeMs: number) {
    this.#list = list;
    this.#maxAgeMs = maxAgeMs;
  }

  /** The monitor of a catalog, which is made when it is first needed. */
  of(catalog: Catalog): DriftMonitor {
    const known = this.#monitors.get(catalog);
    if (known !== undefined) return known;
    const monitor = new DriftMonitor(catalog, this.#list, this.#maxAgeMs);
    this.#monitors.set(catalog, monitor);
    return monitor;
  }

  /** Drops the list of a server, because it says that the list has changed. */
  forgetListing(server: CatalogServer, kind: Target["kind"]): void {
    for (const monitor of this.#monitors.values()) monitor.forgetListing(server, kind);
  }

  /** Drops the monitor of a catalog that no call is decided under any more. */
  forget(catalog: Catalog): void {
    this.#monitors.delete(catalog);
  }
}
