import type { SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { CatalogTool } from "@cmcp/catalog";
import type { CompilePlan } from "../compile/plan.ts";
import { schemaOfAction } from "../compile/scopes.ts";
import { CALL_TOOL } from "../compile/shape.ts";

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

type Named = Pick<CatalogTool, "toolName" | "actionName">;

/** The rules that can apply to a call of this tool; all, for a tool the plan was not compiled with. */
export function sliceFor(plan: CompilePlan, tool: Named): Slice {
  const own = plan.scopes.byTool.get(tool.toolName);
  if (own?.actionName !== tool.actionName) return wholePlan(plan);
  const action = plan.shape === "call_tool" ? CALL_TOOL : tool.actionName;
  // Tools that no rule names share a slice where they share the action.
  const key = own.rules.length === 0 ? `action ${action}` : `tool ${tool.toolName}`;
  return { key, rules: () => [...plan.scopes.general, ...own.rules], schema: () => schemaOfAction(plan.schema, action) };
}

/** Of a tool's slice, the permits that redact; `null` when there are none. */
export function redactingSlice(plan: CompilePlan, tool: Named): Slice | null {
  const slice = sliceFor(plan, tool);
  const rules = slice.rules().filter((id) => (plan.rules.get(id)?.redactFields.length ?? 0) > 0 && plan.policies[id] !== undefined);
  return rules.length === 0 ? null : { ...slice, key: `redacting ${slice.key}`, rules: () => rules };
}
