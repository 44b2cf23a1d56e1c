import { performance } from "node:perf_hooks";
import { asCmcpError, canonicalText, CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import {
  findDrift,
  findPromptDrift,
  findResourceDrift,
  isListOf,
  prefixedSha256,
  type Catalog,
  type CatalogServer,
  type CatalogTool,
  type Drift,
} from "@cmcp/catalog";
import type { ListKind, TaskSupport } from "@cmcp/mcp";
import { approvedOf, nameOf, type Target } from "@cmcp/catalog";
import { RecentMap } from "./recent-map.ts";
import { callerKey, isPerCaller, type SessionRef } from "./server-session.ts";

/** Reads a live list of a server. */
export type ListReader = (
  server: CatalogServer,
  kind: ListKind,
  signal: AbortSignal,
  session: SessionRef | null,
) => Promise<JsonObject[]>;

type Kind = Target["kind"];
/** A live list compared with the catalog. */
interface Comparison {
  readonly drift: ReadonlyMap<string, Drift>;
  /** Tools that can be called as tasks. */
  readonly tasks: ReadonlyMap<string, TaskSupport>;
  /** `sha256:` and hex over every tool that the server lists, approved or not; `null` of another list. */
  readonly surface: string | null;
}

interface Listing extends Comparison {
  readonly at: number;
  /** Whether the server lists other tools than the record of its provenance describes. */
  readonly isOther: boolean;
}

const NO_TASKS: Comparison["tasks"] = new Map();

/** Most comparisons that are kept; where each caller has a token of its own, each has one of its own. */
const MAX_LISTINGS = 16_384;

/** Longest time for reading one list, in milliseconds. */
const LIST_MS = 30_000;

/** Time after a comparison in which an agent's list does not require another one, in milliseconds. It bounds what agents can cause. */
const RECHECK_MS = 5_000;

/**
 * Compares the live definitions of servers with the approved ones. It does so on first contact, after an agent asked
 * for a list, and when a server says that a list changed. It does so again when the last comparison is older than the
 * configured age, and before each call of a consequential tool. Agents always get the approved text.
 */
export class DriftMonitor {
  readonly #catalog: Pick<Catalog, "tools" | "resources" | "prompts">;
  readonly #list: ListReader;
  readonly #maxAgeMs: number;
  readonly #listings = new RecentMap<Listing>(MAX_LISTINGS);
  readonly #running = new Map<string, Promise<Listing>>();
  readonly #listedOnce = new Set<string>();
  /** Comparisons before this time are out of date. */
  readonly #due = new Map<string, number>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds: the host does not set this clock */
  constructor(
    catalog: Pick<Catalog, "tools" | "resources" | "prompts">,
    list: ListReader,
    maxAgeMs: number,
    now = () => performance.now(),
  ) {
    this.#now = now;
    this.#catalog = catalog;
    this.#list = list;
    this.#maxAgeMs = maxAgeMs;
  }

  /**
   * The drift of a target; `null` if there is none. Compares first, if the last comparison is out of date, and for a consequential
   * tool always.
   * @param session whose list it is, where the server's tokens are each caller's own
   * @throws CmcpError if the list cannot be read; the call was not sent
   */
  async driftOf(target: Target, session: SessionRef | null = null): Promise<Drift | null> {
    const { server } = approvedOf(target);
    const listing = isConsequential(target)
      ? await this.#listedSince(this.#now(), target, session)
      : (this.#fresh(keyOf(server, target.kind, session)) ?? (await this.#refresh(server, target.kind, session)));
    return listing.isOther ? "other-provenance" : (listing.drift.get(nameOf(target)) ?? null);
  }

  /** The last comparison, if it is not out of date. */
  #fresh(key: string): Listing | null {
    const known = this.#listings.get(key);
    if (known === undefined || known.at < (this.#due.get(key) ?? known.at)) return null;
    return this.#now() - known.at < this.#maxAgeMs ? known : null;
  }

  /** A comparison that began no earlier. One that was under way did, and another follows it. */
  async #listedSince(time: number, target: Target, session: SessionRef | null): Promise<Listing> {
    const { server } = approvedOf(target);
    const first = await this.#refresh(server, target.kind, session);
    return first.at >= time ? first : await this.#refresh(server, target.kind, session);
  }

  /** Whether a tool can or must be called as a task, by the latest list of its server; `null` if it cannot, or there is no list. */
  taskSupport(tool: CatalogTool): TaskSupport | null {
    return this.#listings.get(keyOf(tool.server, "tool"))?.tasks.get(tool.nameAtServer) ?? null;
  }

  /**
   * The tools of a server: which of the approved ones differ, and what the whole list hashes to.
   * @throws CmcpError if the list cannot be read
   */
  async toolsOf(server: CatalogServer): Promise<Pick<Listing, "drift" | "surface" | "isOther">> {
    return this.#listings.get(keyOf(server, "tool")) ?? (await this.#refresh(server, "tool"));
  }

  /** Reads the tools of a server that was never asked, once. Never throws. */
  async listOnce(server: CatalogServer): Promise<void> {
    const key = keyOf(server, "tool");
    if (this.#listedOnce.has(key) || this.#listings.get(key) !== undefined) return;
    this.#listedOnce.add(key);
    await this.#refresh(server, "tool").catch(() => undefined);
  }

  /** Requires a new comparison before the next call, because an agent has read a list. A comparison of the last seconds still counts. */
  requireRecheck(kind: Kind): void {
    const now = this.#now();
    for (const [key, { at }] of this.#listings.entries())
      if (key.startsWith(`${kind} `) && now - at >= RECHECK_MS) this.#due.set(key, now);
  }

  /** Drops the list of a server, because it says that the list has changed. */
  forgetListing(server: CatalogServer, kind: Kind): void {
    const key = keyOf(server, kind);
    this.#listings.delete(key);
    this.#running.delete(key);
  }

  #refresh(server: CatalogServer, kind: Kind, session: SessionRef | null = null): Promise<Listing> {
    const key = keyOf(server, kind, session);
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const isCurrent = (): boolean => this.#running.get(key) === refresh;
    const refresh = this.#compare(server, kind, session)
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

  async #compare(server: CatalogServer, kind: Kind, session: SessionRef | null): Promise<Listing> {
    // Taken before the list is read, because a change during the read may be missing from it.
    const at = this.#now();
    const signal = AbortSignal.timeout(LIST_MS);
    const provenance = server.settings?.provenance ?? null;
    const lists = new Map<ListKind, Promise<JsonObject[]>>();
    const listOf = async (list: ListKind): Promise<JsonObject[]> => {
      const reading = lists.get(list) ?? this.#list(server, list, signal, session);
      lists.set(list, reading);
      return await reading;
    };
    try {
      const isOther = provenance !== null && !isListOf(provenance, await listOf("tools"));
      return { at, isOther, ...(await this.#compared(server, kind, listOf)) };
    } catch (thrown) {
      const error = asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the list of the tool server could not be read");
      throw new CmcpError(error.code, error.message, { cause: error, detail: { ...error.detail, sent: 0 } });
    }
  }

  async #compared(
    server: CatalogServer,
    kind: Kind,
    listOf: (list: ListKind) => Promise<JsonObject[]>,
  ): Promise<Comparison> {
    const of = <Item extends { readonly server: CatalogServer }>(items: Iterable<Item>): Item[] =>
      [...items].filter((item) => item.server.identity === server.identity);
    const { tools, resources, prompts } = this.#catalog;
    switch (kind) {
      case "tool": {
        const listed = await listOf("tools");
        const drift = findDrift(of(tools.values()), listed);
        return { drift, tasks: taskSupportOf(listed), surface: surfaceOf(listed) };
      }
      case "prompt":
        return {
          drift: findPromptDrift(of(prompts.values()), await listOf("prompts")),
          tasks: NO_TASKS,
          surface: null,
        };
      case "resource": {
        const approved = of(resources.values());
        // A server without templates may not support the method.
        const wanted = async (listed: ListKind, some: boolean): Promise<JsonObject[]> =>
          some ? await listOf(listed) : [];
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
          surface: null,
        };
      }
    }
  }
}

function isConsequential(target: Target): boolean {
  return target.kind === "tool" && target.tool.consequential;
}

/** The canonical tools of a list, in the order of their texts, as one hash. */
function surfaceOf(listed: readonly JsonObject[]): string {
  return prefixedSha256(listed.map((tool) => canonicalText(tool)).toSorted());
}

function keyOf(server: CatalogServer, kind: Kind, session: SessionRef | null = null): string {
  const own = session !== null && isPerCaller(server) ? ` ${callerKey(session)}` : "";
  return `${kind} ${server.identity}${own}`;
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
