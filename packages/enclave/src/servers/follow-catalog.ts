import { findResource, type Catalog, type CatalogServer } from "@cmcp/catalog";
import { reportFault } from "../instance/stderr-events.ts";
import type { DriftMonitors } from "./drift-monitors.ts";
import { definitionOf } from "./server-definition.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Upstreams } from "./upstreams.ts";
import type { ServerFaults } from "./server-faults.ts";
import type { ServerWatch } from "./watch.ts";

/** What is open at servers. */
export interface OpenAtServers {
  readonly upstreams: Pick<Upstreams, "closeServers">;
  readonly subscriptions: Pick<Subscriptions, "keepOnly">;
  readonly drift: Pick<DriftMonitors, "forget">;
  readonly watch: Pick<ServerWatch, "forget">;
  readonly faults: Pick<ServerFaults, "forget">;
}

/** Another catalog took the place of one. */
export interface CatalogChange {
  readonly before: Catalog;
  /** The catalog in force, which may be a later one once the calls have ended. */
  readonly inForce: () => Catalog;
  /** Resolves when the calls that ran at the change have ended. */
  readonly callsDone: Promise<unknown>;
}

/**
 * Ends what a new catalog does not have: subscriptions to other resources at once, and connections to other servers when the calls that
 * ran at the change have ended. A server that is defined in another way is another one.
 */
export function followCatalog(open: OpenAtServers, { before, inForce, callsDone }: CatalogChange): void {
  const keep = (): void => open.subscriptions.keepOnly((server, uri) => offers(inForce(), server, uri));
  keep();
  const gone = others(before.servers, inForce());
  callsDone
    .then(async () => {
      // A call that ran may have subscribed since.
      keep();
      open.drift.forget(before);
      const closing = others(gone, inForce());
      for (const server of closing) {
        open.watch.forget(server);
        open.faults.forget(server);
      }
      await open.upstreams.closeServers(closing);
    })
    .catch(reportFault);
}

function offers({ resources }: Catalog, server: CatalogServer, uri: string): boolean {
  const found = findResource(resources, uri);
  return found !== undefined && definitionOf(found.resource.server) === definitionOf(server);
}

/** The servers that a catalog does not have. */
function others(servers: readonly CatalogServer[], catalog: Catalog): readonly CatalogServer[] {
  const kept = new Set(catalog.servers.map(definitionOf));
  return servers.filter((server) => !kept.has(definitionOf(server)));
}
