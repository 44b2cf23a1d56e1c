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

/** Reads one of a server's live lists. */
type List = (server: CatalogServer, kind: ListKind, signal: AbortSignal) => Promise<JsonObject[]>;

type Kind = Target["kind"];
/** What a live list shows of the approved. */
interface Comparison {
  readonly drift: ReadonlyMap<string, Drift>;
  /** Tools that can be called as tasks. */
  readonly tasks: ReadonlyMap<string, TaskSupport>;
}

interface Listing extends Comparison {
  readonly at: number;
}

const NO_TASKS: Comparison["tasks"] = new Map();

/** Longest time one listing may take, in milliseconds, whoever waits for it. */
const LIST_MS = 30_000;

/** How long an agent's own list does not make a comparison due again, in milliseconds: agents list as often as they like. */
const RECHECK_MS = 5_000;

/**
 * Compares what servers list with its approved definitions: on first contact with a server, after an agent asked for a list, when
 * a server says that one changed, and whenever the last comparison is older than the configured age. Agents are shown the approved
 * text in any case.
 */
export class DriftMonitor {
  readonly #catalog: Pick<Catalog, "tools" | "resources" | "prompts">;
  readonly #list: List;
  readonly #maxAgeMs: number;
  readonly #listings = new Map<string, Listing>();
  readonly #running = new Map<string, Promise<Listing>>();
  readonly #listedOnce = new Set<string>();
  /** Since when what was compared before is due again. */
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
   * How something has drifted, `null` when it has not. Lists what its server has first when that is due.
   * @throws CmcpError what listing fails with; nothing of the call was sent
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

  /** How a tool can be called as a task, by what its server listed last; `null` when it cannot, or nothing was listed. */
  taskSupport(tool: CatalogTool): TaskSupport | null {
    return this.#listings.get(keyOf(tool.server, "tool"))?.tasks.get(tool.toolName) ?? null;
  }

  /** Lists the tools of a server that was never asked, once. Never throws. */
  async listOnce(server: CatalogServer): Promise<void> {
    const key = keyOf(server, "tool");
    if (this.#listedOnce.has(key) || this.#listings.has(key)) return;
    this.#listedOnce.add(key);
    await this.#refresh(server, "tool").catch(() => undefined);
  }

  /** An agent was shown the approved: before it is used, what the servers list is compared again, unless that was done a moment ago. */
  requireRecheck(kind: Kind): void {
    const now = this.#now();
    for (const [key, { at }] of this.#listings)
      if (key.startsWith(`${kind} `) && now - at >= RECHECK_MS) this.#due.set(key, now);
  }

  /** Forgets what a server listed, or is listing, because it says that it lists something else now. */
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
    // Taken before the list is asked for: what changes meanwhile may or may not be in it.
    const at = this.#now();
    try {
      return { at, ...(await this.#compared(server, kind, AbortSignal.timeout(LIST_MS))) };
    } catch (thrown) {
      const error = asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "what the server offers could not be listed");
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
        // A server that has no templates may not know the method.
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
 * Which of a server's tools can be called as tasks, by what it lists (MCP 2025-11-25, Tasks, "Tool-Level Negotiation").
 * The one thing of a live definition that agents are shown: a word of two, and no part of what was approved.
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
