import { ACTIONS, CALL_TOOL, DELIVER_RESULT, TOOL, isGovernedAction } from "../actions.ts";
import { resourcesOf } from "../compile/governed.ts";
import type { CompilePlan } from "../compile/plan.ts";
import { resourceKey } from "../compile/scopes.ts";
import type { CatalogOutline } from "../schema/builtin.ts";

interface Request {
  readonly request: string;
  readonly action: string;
  readonly key: string;
  /** The tool that is called; `null` for a request for anything else's content, and for one that brings no result. */
  readonly tool: string | null;
  readonly bringsContent: boolean;
}

/** Actions of what is no tool whose answers have content. */
const CONTENT: ReadonlySet<string> = new Set(["read_resource", "get_prompt", "complete", DELIVER_RESULT]);

/** Every request there can be about a catalog, as far as scopes can tell requests apart: an action and a resource each. */
export class Reach {
  readonly #plan: CompilePlan;
  readonly #requests: readonly Request[];
  readonly #byRule = new Map<string, ReadonlySet<string>>();

  constructor(plan: CompilePlan, catalog: CatalogOutline) {
    this.#plan = plan;
    const declared = [...plan.projection.contexts.keys()];
    this.#requests = resourcesOf(plan.shape, catalog).flatMap((resource) => {
      const { type } = resource;
      const actions =
        resource.action === null
          ? declared.filter((id) => isGovernedAction(id) && ACTIONS[id].some((one) => one === type))
          : [resource.action];
      const key = resourceKey(resource);
      const isTool = type === TOOL || resource.action !== null;
      return actions.map((action) => {
        const tool =
          isTool && (resource.action !== null || action === CALL_TOOL || action === DELIVER_RESULT)
            ? resource.id
            : null;
        return { request: `${action} ${key}`, action, key, tool, bringsContent: tool !== null || CONTENT.has(action) };
      });
    });
  }

  /** Whether the catalog has anything to ask about. */
  get isEmpty(): boolean {
    return this.#requests.length === 0;
  }

  /** What a rule's scope can match that has a result, once for each tool and for all else. */
  resourcesOf(rule: string): readonly { readonly tool: string | null }[] {
    const own = this.of(rule);
    const tools = this.#requests.flatMap(({ request, tool, bringsContent }) =>
      own.has(request) && bringsContent ? [tool] : [],
    );
    return Array.from(new Set(tools), (tool) => ({ tool }));
  }

  /** The requests that a rule's scope can match. */
  of(rule: string): ReadonlySet<string> {
    const known = this.#byRule.get(rule);
    if (known !== undefined) return known;
    const { general, byAction, byResource } = this.#plan.scopes;
    const everywhere = general.includes(rule);
    const matches = ({ action, key }: { readonly action: string; readonly key: string }): boolean =>
      everywhere ||
      byAction.get(action)?.includes(rule) === true ||
      byResource.get(key)?.rules.some(({ id, actions }) => id === rule && (actions === null || actions.has(action))) ===
        true;
    const found = new Set(this.#requests.flatMap((one) => (matches(one) ? [one.request] : [])));
    this.#byRule.set(rule, found);
    return found;
  }
}
