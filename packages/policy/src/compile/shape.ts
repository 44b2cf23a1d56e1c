import { CmcpError } from "@cmcp/boundary";
import type { BundleShape } from "../compiled.ts";
import type { SchemaDescription } from "../schema/describe.ts";
import { ACTIONS, CALL_TOOL, PROMPT, RESOURCE_ITEM, TOOL, isGovernedAction } from "../actions.ts";
import type { ParsedPolicy } from "./policies.ts";

/** Cedar names of a request's parts in each shape. */
export const SHAPE_TYPES = {
  call_tool: { principal: "cMCP::Principal", action: "cMCP::Action", resource: TOOL },
  "per-tool-action": { principal: "Agent", action: "Action", resource: "Resource" },
} as const satisfies Record<BundleShape, Record<string, string>>;

/** Types of the `call_tool` shape beside those in {@link SHAPE_TYPES}. */
const FURTHER_TYPES: readonly string[] = [RESOURCE_ITEM, PROMPT];

function refuse(why: string): never {
  throw new CmcpError("POLICY_BUNDLE_INVALID", why);
}

function shapeNaming(type: string): BundleShape | undefined {
  if (FURTHER_TYPES.includes(type)) return "call_tool";
  for (const shape of ["call_tool", "per-tool-action"] as const)
    if (Object.values<string>(SHAPE_TYPES[shape]).includes(type)) return shape;
  return undefined;
}

/**
 * Decides which shape a bundle has from the entities its policies name; policies that name none fit
 * either, and then the schema decides. A rule of the other shape, or one naming an entity type that no
 * request has, would silently never match: such a bundle is refused.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID`.
 */
export function shapeOf(policies: readonly ParsedPolicy[], schema: SchemaDescription | undefined): BundleShape {
  const first = new Map<BundleShape, string>();
  for (const policy of policies) {
    for (const { type } of policy.references.entities) {
      const shape =
        shapeNaming(type) ??
        refuse(
          `${policy.id} names entity type ${type}, which no request has; use ${[...Object.values(SHAPE_TYPES.call_tool), ...FURTHER_TYPES].join(", ")}`,
        );
      if (!first.has(shape)) first.set(shape, policy.id);
    }
  }
  const [namespaced, bare] = [first.get("call_tool"), first.get("per-tool-action")];
  if (namespaced !== undefined && bare !== undefined)
    refuse(
      `${namespaced} names cMCP:: entities and ${bare} names bare Agent, Action or Resource: rules of one shape never match requests of the other; write all rules in one`,
    );
  if (namespaced !== undefined) return "call_tool";
  if (bare !== undefined) return "per-tool-action";
  return schema?.namespaces.includes("cMCP") === false && schema.namespaces.includes("")
    ? "per-tool-action"
    : "call_tool";
}

/** Ids of the catalog's entities by Cedar type. Empty without a catalog: then nothing is known to be missing. */
export type KnownNames = ReadonlyMap<string, ReadonlySet<string>>;

/** What people call an entity of a type. */
const WORDS: Readonly<Record<string, string>> = {
  [TOOL]: "tool",
  Resource: "tool",
  [RESOURCE_ITEM]: "resource",
  [PROMPT]: "prompt",
};

/**
 * Checks the actions and entities the policies name against the catalog's, if there is a catalog. Returns warnings.
 *
 * @param actions - actions that the catalog's tools have under per-tool actions
 * @throws CmcpError `POLICY_BUNDLE_INVALID` for an action no request can have.
 */
export function checkNames(
  policies: readonly ParsedPolicy[],
  actions: ReadonlySet<string>,
  known: KnownNames,
): readonly string[] {
  const warnings = new Set<string>();
  for (const policy of policies) {
    for (const { type, id } of policy.references.entities) {
      if (id === null) continue;
      if (type === SHAPE_TYPES.call_tool.action && !isGovernedAction(id))
        refuse(
          `${policy.id} names ${type}::"${id}"; the actions of this shape are ${Object.keys(ACTIONS)
            .map((one) => `${type}::"${one}"`)
            .join(", ")}`,
        );
      if (type === SHAPE_TYPES["per-tool-action"].action && !actions.has(id)) {
        if (id === CALL_TOOL)
          refuse(`${policy.id} names Action::"${CALL_TOOL}", which no request has; write cMCP::Action::"${CALL_TOOL}"`);
        if (actions.size > 0) warnings.add(`${policy.id} names Action::"${id}", which no tool of the catalog gives`);
      }
      if (known.get(type)?.has(id) === false)
        warnings.add(`${policy.id} names ${WORDS[type] ?? type} "${id}", which the catalog does not have`);
    }
  }
  return [...warnings];
}
