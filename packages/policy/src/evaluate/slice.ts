import type { SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { EntityRequest } from "../compile/governed.ts";
import type { CompilePlan } from "../compile/plan.ts";
import { schemaOfAction, resourceKey } from "../compile/scopes.ts";

/** Some of a plan's rules and the schema for requests they are asked about. */
export interface Slice {
  /** Tells the slices of one plan apart. */
  readonly key: string;
  /** Ids of its policies. Made when asked for, because a slice is mostly found prepared. */
  rules(): readonly string[];
  schema(): SchemaJson<string>;
}

/** Every rule of the plan. */
export function wholePlan(plan: CompilePlan): Slice {
  return { key: "", rules: () => Object.keys(plan.policies), schema: () => plan.schema };
}

/** The rules that can apply to a request; all, for something the plan was not compiled with. */
export function sliceFor(plan: CompilePlan, asked: EntityRequest): Slice {
  const { action } = asked;
  const { general, byAction, byResource } = plan.scopes;
  const own = byResource.get(resourceKey(asked));
  if (own === undefined || (own.action !== null && own.action !== action)) return wholePlan(plan);
  const applies = ({ actions }: (typeof own.rules)[number]): boolean => actions === null || actions.has(action);
  // What no rule names shares a slice with all else of its action.
  const key = own.rules.some(applies) ? `${action} on ${resourceKey(asked)}` : `action ${action}`;
  return {
    key,
    rules: () => [...general, ...(byAction.get(action) ?? []), ...own.rules.filter(applies).map(({ id }) => id)],
    schema: () => schemaOfAction(plan.schema, action),
  };
}

/** Of a request's slice, the permits. */
export function permitSlice(plan: CompilePlan, asked: EntityRequest): Slice {
  const slice = sliceFor(plan, asked);
  const rules = (): readonly string[] => slice.rules().filter((id) => plan.rules.get(id)?.effect === "permit");
  return { ...slice, key: `permits of ${slice.key}`, rules };
}

/** Of a request's slice, the permits that redact; `null` when there are none. */
export function redactingSlice(plan: CompilePlan, asked: EntityRequest): Slice | null {
  const slice = sliceFor(plan, asked);
  const rules = slice
    .rules()
    .filter((id) => (plan.rules.get(id)?.redactFields.length ?? 0) > 0 && plan.policies[id] !== undefined);
  return rules.length === 0 ? null : { ...slice, key: `redacting ${slice.key}`, rules: () => rules };
}
