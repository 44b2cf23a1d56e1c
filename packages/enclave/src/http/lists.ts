import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { DEFAULT_FOUND, nameOf, SEARCH_TOOL_NAME, ToolIndex, type Catalog, type Target } from "@cmcp/catalog";
import { plainRequest, type ListKind, type ListPage } from "@cmcp/mcp";
import type { Turns } from "@cmcp/wire";
import type { Caller } from "../access/caller.ts";
import type { DecisionInput } from "../call/call.ts";
import type { Decider, Listing } from "../call/decide.ts";
import type { Rules } from "../call/rules.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { DriftMonitor } from "../servers/drift.ts";
import type { Cursors } from "./cursor.ts";
import { definitionOf, listTargets } from "./list-item.ts";
import { ListMemory, type ListVerdicts } from "./list-verdicts.ts";

/** Members of one page. */
const PAGE = 500;
/**
 * Decisions of one page that are not remembered, and those among them for which the engine is asked whether any
 * arguments would be allowed.
 */
const MAX_DECISIONS = 1_000;
const MAX_ARGUMENT_CHECKS = 64;
/** Decisions of one turn. An argument check takes a turn of its own. */
const TURN = 16;

/** The request that a list is decided as: no target. */
const LISTING = plainRequest("tools/call", "");

/** What a change of the live list means for each list. */
const COMPARED = {
  tools: "tool",
  prompts: "prompt",
  resources: "resource",
  templates: "resource",
} as const satisfies Record<ListKind, Target["kind"]>;

/** What listing needs. */
export interface ListPorts {
  readonly decider: Pick<Decider, "isListed" | "offers">;
  readonly rules: () => Rules;
  /** The workflows of this caller whose tools are listed. */
  readonly workflows: (caller: Caller) => readonly string[];
  readonly cursors: Cursors;
  /** The drift monitor of a catalog. */
  readonly monitorOf: (catalog: Catalog) => Pick<DriftMonitor, "requireRecheck">;
  readonly turns: Turns;
  /** The tools that are listed beside the search; `null` for every tool. */
  readonly listed: ReadonlySet<string> | null;
}

/** Which list, for whom. */
export interface ListRequest {
  readonly recorded: RecordedSession;
  readonly caller: Caller;
  readonly kind: ListKind;
  readonly cursor: string | null;
}

/** A call of the search, whose arguments fit its schema. */
export type SearchRequest = Pick<DecisionInput, "recorded" | "caller" | "policy" | "catalog" | "policyRequest">;

/** One workflow whose targets are listed. */
interface ListedWorkflow {
  readonly call: DecisionInput;
  readonly verdicts: ListVerdicts;
}

/** What a page may still decide. */
class PageWork {
  #decisions = 0;
  #argumentChecks = 0;
  #inTurn = TURN;

  get isDone(): boolean {
    return this.#decisions >= MAX_DECISIONS || this.#argumentChecks >= MAX_ARGUMENT_CHECKS;
  }

  get needsTurn(): boolean {
    return this.#inTurn >= TURN;
  }

  beginTurn(): void {
    this.#inTurn = 0;
  }

  count({ checkedArguments }: Listing): void {
    this.#decisions += 1;
    this.#argumentChecks += checkedArguments ? 1 : 0;
    this.#inTurn += checkedArguments ? TURN : 1;
  }
}

/** What the search answers: one text, as a result without an output schema has it. */
export function searchResult(tools: readonly JsonObject[]): JsonObject {
  return { content: [{ type: "text", text: JSON.stringify({ tools }) }] };
}

/** The lists of agents: approved definitions that the caller may use, in catalog order, over all servers. */
export class Lists {
  readonly #ports: ListPorts;
  /** Of the catalog that was listed last. */
  #targets: { readonly catalog: Catalog; readonly lists: Readonly<Record<ListKind, readonly Target[]>> } | null = null;
  /** Of the catalog that was searched last. */
  #index: { readonly catalog: Catalog; readonly words: ToolIndex } | null = null;
  readonly #memory = new ListMemory();

  constructor(ports: ListPorts) {
    this.#ports = ports;
  }

  /**
   * One page. It ends when it is full, or has made as many decisions as a page may; the cursor says where the next one
   * begins. So a page can have fewer members than another, and none (MCP, Pagination).
   * @throws CmcpError `CURSOR_INVALID`
   */
  async page({ recorded, caller, kind, cursor }: ListRequest): Promise<ListPage> {
    const { cursors, decider, monitorOf } = this.#ports;
    const rules = this.#ports.rules();
    const { policy, catalog } = rules;
    const targets = this.#targetsOf(catalog)[kind];
    const context = [recorded.session.id, kind, policy.bundle.hash, catalog.hash];
    const from = cursor === null ? 0 : cursors.read(context, cursor);
    const listed = this.#workflowsOf({ recorded, caller, ...rules }, kind, targets.length);
    const work = new PageWork();
    const found: Target[] = [];
    let at = from;
    for (; at < targets.length && found.length < PAGE && !work.isDone; at += 1) {
      const target = targets[at];
      if (target === undefined || !this.#shows(target) || !decider.offers(caller, target)) continue;
      if (await this.#isListed(listed, { target, at }, work)) found.push(target);
    }
    monitorOf(catalog).requireRecheck(COMPARED[kind]);
    return { items: found.map(definitionOf), nextCursor: at < targets.length ? cursors.make(context, at) : null };
  }

  /**
   * The definitions of the tools that fit a query best, among those that the caller's lists may have. Every tool that fits is decided
   * until there are enough, and each once for all searches and lists: an end before that would tell how many policy hides.
   * @throws CmcpError `REQUEST_CANCELLED`
   */
  async search({ policyRequest, ...request }: SearchRequest, signal: AbortSignal): Promise<readonly JsonObject[]> {
    const { caller, catalog, policy, recorded } = request;
    const { query, limit = DEFAULT_FOUND } = policyRequest.arguments;
    const targets = this.#targetsOf(catalog).tools;
    const listed = this.#workflowsOf({ recorded, caller, policy, catalog }, "tools", targets.length);
    const work = new PageWork();
    const found: Target[] = [];
    for (const at of this.#wordsOf(catalog).ranked(typeof query === "string" ? query : "")) {
      if (typeof limit !== "number" || found.length >= limit) break;
      if (signal.aborted)
        throw new CmcpError("REQUEST_CANCELLED", "the caller went away during the search", { detail: { sent: 0 } });
      const target = targets[at];
      if (target === undefined || !this.#ports.decider.offers(caller, target)) continue;
      if (await this.#isListed(listed, { target, at }, work)) found.push(target);
    }
    this.#ports.monitorOf(catalog).requireRecheck("tool");
    return found.map(definitionOf);
  }

  #workflowsOf(
    request: Omit<DecisionInput, "policyRequest">,
    kind: ListKind,
    targets: number,
  ): readonly ListedWorkflow[] {
    return this.#ports.workflows(request.caller).map((workflowId): ListedWorkflow => {
      const call = { ...request, policyRequest: { ...LISTING, workflowId } };
      return { call, verdicts: this.#memory.of(kind, call, targets) };
    });
  }

  #shows(target: Target): boolean {
    const { listed } = this.#ports;
    if (listed === null || target.kind !== "tool") return true;
    const name = nameOf(target);
    return name === SEARCH_TOOL_NAME || listed.has(name);
  }

  #wordsOf(catalog: Catalog): ToolIndex {
    if (this.#index?.catalog !== catalog) this.#index = { catalog, words: new ToolIndex(catalog.tools.values()) };
    return this.#index.words;
  }

  #targetsOf(catalog: Catalog): Readonly<Record<ListKind, readonly Target[]>> {
    if (this.#targets?.catalog !== catalog) this.#targets = { catalog, lists: listTargets(catalog) };
    return this.#targets.lists;
  }

  /** Whether some workflow lists a target. */
  async #isListed(
    listed: readonly ListedWorkflow[],
    { target, at }: { readonly target: Target; readonly at: number },
    work: PageWork,
  ): Promise<boolean> {
    for (const { call, verdicts } of listed) {
      let verdict = verdicts.get(at);
      if (verdict === undefined && work.needsTurn) {
        await this.#ports.turns.next();
        work.beginTurn();
        // Another page of the same list may have decided it in the meantime.
        verdict = verdicts.get(at);
      }
      if (verdict === undefined) {
        const decided = this.#ports.decider.isListed(call, target);
        work.count(decided);
        verdicts.set(at, decided.listed);
        verdict = decided.listed;
      }
      if (verdict) return true;
    }
    return false;
  }
}
