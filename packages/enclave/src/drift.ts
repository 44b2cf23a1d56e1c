import { performance } from "node:perf_hooks";
import { asCmcpError, CmcpError, type JsonObject } from "@cmcp/boundary";
import { findDrift, findPromptDrift, findResourceDrift, type Catalog, type CatalogServer, type Drift } from "@cmcp/catalog";
import type { ListKind } from "@cmcp/mcp";
import { approvedOf, nameOf, type Subject } from "./call/subject.ts";

/** Reads one of a server's live lists. */
type List = (server: CatalogServer, kind: ListKind, signal: AbortSignal) => Promise<JsonObject[]>;

type Kind = Subject["kind"];
type Drifts = ReadonlyMap<string, Drift>;

interface Listing {
  readonly at: number;
  readonly drift: Drifts;
}

/** Longest time one listing may take, in milliseconds, whoever waits for it. */
const LIST_MS = 30_000;

/**
 * Compares what servers list with its approved definitions: on first contact with a server, when it says that a
 * list changed, and whenever the last comparison is older than the configured age. Agents are shown the approved
 * text in any case.
 */
export class DriftMonitor {
  readonly #catalog: Pick<Catalog, "tools" | "resources" | "prompts">;
  readonly #list: List;
  readonly #maxAgeMs: number;
  readonly #listings = new Map<string, Listing>();
  readonly #running = new Map<string, Promise<Listing>>();

  constructor(catalog: Pick<Catalog, "tools" | "resources" | "prompts">, list: List, maxAgeMs: number) {
    this.#catalog = catalog;
    this.#list = list;
    this.#maxAgeMs = maxAgeMs;
  }

  /**
   * How something has drifted, `null` when it has not. Lists what its server has first when that is due.
   * @throws CmcpError what listing fails with; nothing of the call was sent
   */
  async of(subject: Subject): Promise<Drift | null> {
    const { server } = approvedOf(subject);
    const known = this.#listings.get(keyOf(server, subject.kind));
    const fresh = known !== undefined && performance.now() - known.at < this.#maxAgeMs;
    const listing = fresh ? known : await this.#refresh(server, subject.kind);
    return listing.drift.get(nameOf(subject)) ?? null;
  }

  /** Forgets what a server listed, because it says that it lists something else now. */
  changed(server: CatalogServer, kind: Kind): void {
    this.#listings.delete(keyOf(server, kind));
  }

  #refresh(server: CatalogServer, kind: Kind): Promise<Listing> {
    const key = keyOf(server, kind);
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const refresh = this.#compare(server, kind).finally(() => this.#running.delete(key));
    this.#running.set(key, refresh);
    return refresh;
  }

  async #compare(server: CatalogServer, kind: Kind): Promise<Listing> {
    // Taken before the list is asked for: what changes meanwhile may or may not be in it.
    const at = performance.now();
    try {
      const listing = { at, drift: await this.#drifts(server, kind, AbortSignal.timeout(LIST_MS)) };
      this.#listings.set(keyOf(server, kind), listing);
      return listing;
    } catch (thrown) {
      const error = asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "what the server offers could not be listed");
      throw new CmcpError(error.code, error.message, { cause: error, detail: { ...error.detail, sent: 0 } });
    }
  }

  async #drifts(server: CatalogServer, kind: Kind, signal: AbortSignal): Promise<Drifts> {
    const of = <Item extends { readonly server: CatalogServer }>(items: Iterable<Item>): Item[] => [...items].filter((item) => item.server.identity === server.identity);
    const { tools, resources, prompts } = this.#catalog;
    switch (kind) {
      case "tool":
        return findDrift(of(tools.values()), await this.#list(server, "tools", signal));
      case "prompt":
        return findPromptDrift(of(prompts.values()), await this.#list(server, "prompts", signal));
      case "resource": {
        const approved = of(resources.values());
        // A server that has no templates may not know the method.
        const wanted = async (listed: ListKind, some: boolean): Promise<JsonObject[]> => (some ? await this.#list(server, listed, signal) : []);
        return findResourceDrift(approved, await wanted("resources", approved.some(({ template }) => template === null)), await wanted("templates", approved.some(({ template }) => template !== null)));
      }
    }
  }
}

function keyOf(server: CatalogServer, kind: Kind): string {
  return `${kind} ${server.identity}`;
}
