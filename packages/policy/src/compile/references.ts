import type { PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { CmcpError } from "@cmcp/boundary";

/**
 * Nesting of one expression, operator chains included: `a && b && c` nests left. The engine parses far
 * deeper chains than it can evaluate, and exhausts its stack there between 300 and 500.
 */
export const MAX_EXPRESSION_DEPTH = 128;

/** An entity or entity type a policy names; `id` is `null` for a type (`is`). */
export interface EntityReference {
  readonly type: string;
  readonly id: string | null;
}

/** An attribute path a policy reads or tests for, from a request variable: `context`, `arguments`, `path`. */
export interface AttributeRead {
  readonly variable: string;
  /** Empty when the variable itself is used as a value. */
  readonly path: readonly string[];
  /** True for `has`, which looks at presence only. */
  readonly presence: boolean;
}

/** Attribute names in one path. */
const MAX_PATH = 8;

/** What one policy names and reads. */
export interface References {
  readonly entities: readonly EntityReference[];
  readonly reads: readonly AttributeRead[];
}

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Path of an expression made of a variable and `.` accesses, else `undefined`. */
function pathOf(expression: unknown): AttributeRead | undefined {
  const names: string[] = [];
  let at: unknown = expression;
  while (isNode(at)) {
    if (typeof at.Var === "string") return { variable: at.Var, path: names.toReversed(), presence: false };
    const access: unknown = at["."];
    if (!isNode(access) || typeof access.attr !== "string") return undefined;
    names.push(access.attr);
    at = access.left;
  }
  return undefined;
}

function hasPath(test: Node): AttributeRead | undefined {
  const base = pathOf(test.left);
  const attrs = Array.isArray(test.attr) ? test.attr : [test.attr];
  return base === undefined
    ? undefined
    : { variable: base.variable, path: [...base.path, ...attrs.map(String)], presence: true };
}

class Walk {
  readonly entities: EntityReference[] = [];
  readonly reads: AttributeRead[] = [];
  readonly #policy: string;

  constructor(policy: string) {
    this.#policy = policy;
  }

  visit(value: unknown, depth: number): void {
    // Two levels of JSON make one of Cedar.
    if (depth > MAX_EXPRESSION_DEPTH * 2)
      throw new CmcpError(
        "POLICY_BUNDLE_INVALID",
        `${this.#policy}: a condition nests or chains more than ${MAX_EXPRESSION_DEPTH} operators; split the rule`,
      );
    if (Array.isArray(value)) for (const member of value) this.visit(member, depth + 1);
    if (!isNode(value)) return;
    this.#entity(value);
    const read = isNode(value.has) ? hasPath(value.has) : pathOf(value);
    if (read === undefined) for (const member of Object.values(value)) this.visit(member, depth + 1);
    else if (read.path.length > MAX_PATH)
      throw new CmcpError(
        "POLICY_BUNDLE_INVALID",
        `${this.#policy}: an attribute path has more than ${MAX_PATH} names`,
      );
    else this.reads.push(read);
  }

  /** Entity literals (`{type, id}`, also inside `__entity`) and type tests. */
  #entity(value: Node): void {
    if (typeof value.type === "string" && typeof value.id === "string")
      this.entities.push({ type: value.type, id: value.id });
    if (typeof value.entity_type === "string") this.entities.push({ type: value.entity_type, id: null });
  }
}

/** Every entity a policy names and every attribute it reads. @throws CmcpError `POLICY_BUNDLE_INVALID` for too deep a condition. */
export function referencesOf(id: string, policy: PolicyJson): References {
  const walk = new Walk(id);
  for (const part of [policy.principal, policy.action, policy.resource, policy.conditions]) walk.visit(part, 0);
  return { entities: walk.entities, reads: walk.reads };
}
