import { performance } from "node:perf_hooks";
import { asCmcpError, CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import {
  findDrift,
  findPromptDrift,
  findResourceDrift,
  type Catalog,
  type CatalogServer,
  type CatalogTool,
  type Drift,
} from "@cmcp/catalog";
import type { ListKind, TaskSupport } from "@cmcp/mcp";
import { approvedOf, nameOf, type Target } from "@cmcp/catalog";

/** Reads a live list of a server. */
type List = (server: CatalogServer, kind: ListKind, signal: AbortSignal) => Promise<JsonObject[]>;

type Kind = Target["kind"];
/** A live list compared with the catalog. */
interface Comparison {
  readonly drift: ReadonlyMap<string, Drift>;
  /** Tools that can be called as tasks. */
  readonly tasks: ReadonlyMap<string, TaskSupport>;
}

interface Listing extends Comparison {
  readonly at: number;
}

const NO_TASKS: Comparison["tasks"] = new Map();

/** Longest time for reading one list, in milliseconds. */
const LIST_MS = 30_000;

/** Time after a comparison in which an agent's list does not require another one, in milliseconds. It bounds what agents can cause. */
const RECHECK_MS = 5_000;

/**
 * Compares the live definitions of servers with the approved ones: on first contact, after an agent asked for a list,
 * when a server says that a list changed, and when the last comparison is older than the configured age. Agents always
 * get the approved text.
 */
export class DriftMonitor {
  readonly #catalog: Pick<Catalog, "tools" | "resources" | "prompts">;
  readonly #list: List;
  readonly #maxAgeMs: number;
  readonly #listings = new Map<string, Listing>();
  readonly #running = new Map<string, Promise<Listing>>();
  readonly #listedOnce = new Set<string>();
  /** Comparisons before this time are out of date. */
  readonly #due = new Map<string, number>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds: the host does not set this clock */
  constructor(
    catalog: Pick<Catalog, "tools" | "resources" | "prompts">,
    list: List,
    maxAgeMs: number,
    now = () => performance.now(),
  ) {
    this.#now = now;
    this.#catalog = catalog;
    this.#list = list;
    this.#maxAgeMs = maxAgeMs;
  }

  /**
   * The drift of a target; `null` if there is none. Compares first, if the last comparison is out of date.
   * @throws CmcpError if the list cannot be read; the call was not sent
   */
  async driftOf(target: Target): Promise<Drift | null> {
    const { server } = approvedOf(target);
    const key = keyOf(server, target.kind);
    const known = this.#listings.get(key);
    const fresh =
      known !== undefined && known.at >= (this.#due.get(key) ?? known.at) && this.#now() - known.at < this.#maxAgeMs;
    const listing = fresh ? known : await this.#refresh(server, target.kind);
    return listing.drift.get(nameOf(target)) ?? null;
  }

  /** Whether a tool can or must be called as a task, by the latest list of its server; `null` if it cannot, or there is no list. */
  taskSupport(tool: CatalogTool): TaskSupport | null {
    return this.#listings.get(keyOf(tool.server, "tool"))?.tasks.get(tool.toolName) ?? null;
  }

  /** Reads the tools of a server that was never asked, once. Never throws. */
  async listOnce(server: CatalogServer): Promise<void> {
    const key = keyOf(server, "tool");
    if (this.#listedOnce.has(key) || this.#listings.has(key)) return;
    this.#listedOnce.add(key);
    await this.#refresh(server, "tool").catch(() => undefined);
  }

  /** Requires a new comparison before the next call, because an agent has read a list. A comparison of the last seconds still counts. */
  requireRecheck(kind: Kind): void {
    const now = this.#now();
    for (const [key, { at }] of this.#listings)
      if (key.startsWith(`${kind} `) && now - at >= RECHECK_MS) this.#due.set(key, now);
  }

  /** Drops the list of a server, because it says that the list has changed. */
  forgetListing(server: CatalogServer, kind: Kind): void {
    const key = keyOf(server, kind);
    this.#listings.delete(key);
    this.#running.delete(key);
  }

  #refresh(server: CatalogServer, kind: Kind): Promise<Listing> {
    const key = keyOf(server, kind);
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const isCurrent = (): boolean => this.#running.get(key) === refresh;
    const refresh = this.#compare(server, kind)
      .then((listing) => {
        if (isCurrent()) this.#listings.set(key, listing);
        return listing;
      })
      .finally(() => {
        if (isCurrent()) this.#running.delete(key);
      });
    this.#running.set(key, refresh);
    return refresh;
  }

  async #compare(server: CatalogServer, kind: Kind): Promise<Listing> {
    // Taken before the list is read, because a change during the read may be missing from it.
    const at = this.#now();
    try {
      return { at, ...(await this.#compared(server, kind, AbortSignal.timeout(LIST_MS))) };
    } catch (thrown) {
      const error = asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the list of the tool server could not be read");
      throw new CmcpError(error.code, error.message, { cause: error, detail: { ...error.detail, sent: 0 } });
    }
  }

  async #compared(server: CatalogServer, kind: Kind, signal: AbortSignal): Promise<Comparison> {
    const of = <Item extends { readonly server: CatalogServer }>(items: Iterable<Item>): Item[] =>
      [...items].filter((item) => item.server.identity === server.identity);
    const { tools, resources, prompts } = this.#catalog;
    switch (kind) {
      case "tool": {
        const listed = await this.#list(server, "tools", signal);
        return { drift: findDrift(of(tools.values()), listed), tasks: taskSupportOf(listed) };
      }
      case "prompt":
        return {
          drift: findPromptDrift(of(prompts.values()), await this.#list(server, "prompts", signal)),
          tasks: NO_TASKS,
        };
      case "resource": {
        const approved = of(resources.values());
        // A server without templates may not support the method.
        const wanted = async (listed: ListKind, some: boolean): Promise<JsonObject[]> =>
          some ? await this.#list(server, listed, signal) : [];
        return {
          drift: findResourceDrift(
            approved,
            await wanted(
              "resources",
              approved.some(({ template }) => template === null),
            ),
            await wanted(
              "templates",
              approved.some(({ template }) => template !== null),
            ),
          ),
          tasks: NO_TASKS,
        };
      }
    }
  }
}

function keyOf(server: CatalogServer, kind: Kind): string {
  return `${kind} ${server.identity}`;
}

/**
 * The tools in a live list that can be called as tasks (MCP 2025-11-25, Tasks, "Tool-Level Negotiation"). This is the only part of a live
 * definition that agents get: one of two fixed words, which is not part of the approved definition.
 */
export function taskSupportOf(listed: readonly JsonObject[]): ReadonlyMap<string, TaskSupport> {
  return new Map(
    listed.flatMap(({ name, execution }) => {
      const support = isJsonObject(execution) ? execution.taskSupport : undefined;
      return typeof name === "string" && (support === "optional" || support === "required")
        ? [[name, support] as const]
        : [];
    }),
  );
}
