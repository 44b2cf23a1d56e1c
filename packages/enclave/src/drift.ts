import { performance } from "node:perf_hooks";
import { asCmcpError, CmcpError, type JsonObject } from "@cmcp/boundary";
import { findDrift, type Catalog, type CatalogServer, type CatalogTool, type Drift } from "@cmcp/catalog";

/** Reads a server's live `tools/list`. */
type List = (server: CatalogServer, signal: AbortSignal) => Promise<JsonObject[]>;

interface Listing {
  readonly at: number;
  readonly drift: ReadonlyMap<string, Drift>;
}

/** Longest time one listing may take, in milliseconds, whoever waits for it. */
const LIST_MS = 30_000;

/**
 * Compares live tools with their approved definitions: on first contact with a server and again whenever
 * the last comparison is older than the configured age. Agents are shown the approved text in any case.
 */
export class DriftMonitor {
  readonly #byServer = new Map<string, CatalogTool[]>();
  readonly #list: List;
  readonly #maxAgeMs: number;
  readonly #listings = new Map<string, Listing>();
  readonly #running = new Map<string, Promise<Listing>>();

  constructor(catalog: Pick<Catalog, "tools">, list: List, maxAgeMs: number) {
    for (const tool of catalog.tools.values()) this.#byServer.set(tool.server.identity, [...(this.#byServer.get(tool.server.identity) ?? []), tool]);
    this.#list = list;
    this.#maxAgeMs = maxAgeMs;
  }

  /**
   * How a tool has drifted, `null` when it has not. Lists the server's tools first when that is due.
   * @throws CmcpError what listing fails with; nothing of the call was sent
   */
  async of(tool: CatalogTool): Promise<Drift | null> {
    const { server } = tool;
    const known = this.#listings.get(server.identity);
    const fresh = known !== undefined && performance.now() - known.at < this.#maxAgeMs;
    const listing = fresh ? known : await this.#refresh(server);
    return listing.drift.get(tool.toolName) ?? null;
  }

  #refresh(server: CatalogServer): Promise<Listing> {
    const running = this.#running.get(server.identity);
    if (running !== undefined) return running;
    const refresh = this.#compare(server).finally(() => this.#running.delete(server.identity));
    this.#running.set(server.identity, refresh);
    return refresh;
  }

  async #compare(server: CatalogServer): Promise<Listing> {
    try {
      const live = await this.#list(server, AbortSignal.timeout(LIST_MS));
      const listing = { at: performance.now(), drift: findDrift(this.#byServer.get(server.identity) ?? [], live) };
      this.#listings.set(server.identity, listing);
      return listing;
    } catch (thrown) {
      const error = asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the server's tools could not be listed");
      throw new CmcpError(error.code, error.message, { cause: error, detail: { ...error.detail, sent: 0 } });
    }
  }
}
