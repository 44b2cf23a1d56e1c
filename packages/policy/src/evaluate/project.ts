import type { CedarValueJson, EntityJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { EntityRequest } from "../compile/governed.ts";
import { CALL_TOOL } from "../actions.ts";
import { SHAPE_TYPES } from "../compile/shape.ts";
import type { BundleShape } from "../compiled.ts";
import { argumentsOf, type GovernedFacts } from "../facts.ts";
import type { FactTable } from "../fact.ts";
import { CONTEXT_FACTS, PRINCIPAL_FACTS } from "../fact-tables.ts";
import { FACTS_BY_TYPE, type PlannedAttribute, type ProjectedType, type Projection } from "../schema/projection.ts";
import type { CedarRequest } from "./cedar-request.ts";
import { MAX_ATTRIBUTE_BYTES, MAX_REQUEST_BYTES, MAX_REQUEST_MEMBERS, MAX_SET_MEMBERS } from "./bounds.ts";

/** Why there is no engine request: what is asked does not fit the schema, a value is over its bound, or the schema has no such action. */
export type ProjectionFault = "request-invalid" | "context-bound" | "not-declared";

class Refused extends Error {
  readonly fault: ProjectionFault;

  constructor(fault: ProjectionFault) {
    super(fault);
    this.fault = fault;
  }
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Builds one request; only values it made itself, of the declared types, ever enter it. */
class Projector {
  #bytes = 0;
  #members = 0;

  text(value: unknown): string {
    if (typeof value !== "string" || !value.isWellFormed()) throw new Refused("request-invalid");
    // A UTF-16 unit is at least one byte, so a long text is refused before it is measured.
    const bytes = value.length > MAX_ATTRIBUTE_BYTES ? Number.POSITIVE_INFINITY : Buffer.byteLength(value);
    this.#bytes += bytes;
    if (bytes > MAX_ATTRIBUTE_BYTES || this.#bytes > MAX_REQUEST_BYTES) throw new Refused("context-bound");
    return value;
  }

  scalar(kind: "String" | "Long" | "Bool", value: unknown): string | number | boolean {
    if (kind === "String") return this.text(value);
    if (kind === "Bool" && typeof value === "boolean") return value;
    // Adding zero makes -0 the 0 that is sent.
    if (kind === "Long" && typeof value === "number" && Number.isSafeInteger(value)) return value + 0;
    throw new Refused("request-invalid");
  }

  set(element: ProjectedType, value: unknown): CedarValueJson[] {
    if (!Array.isArray(value)) throw new Refused("request-invalid");
    this.#members += value.length;
    if (value.length > MAX_SET_MEMBERS || this.#members > MAX_REQUEST_MEMBERS) throw new Refused("context-bound");
    return value.map((member) => this.value(element, member));
  }

  facts(planned: readonly PlannedAttribute[], table: FactTable, facts: GovernedFacts): Record<string, CedarValueJson> {
    const record: Record<string, CedarValueJson> = {};
    for (const { name, type, required } of planned) {
      const value = table.get(name)?.of(facts);
      if (value !== undefined) record[name] = this.value(type, value);
      else if (required) throw new Refused("request-invalid");
    }
    return record;
  }

  value(type: ProjectedType, value: unknown): CedarValueJson {
    if (type.kind === "Set") return this.set(type.element, value);
    if (type.kind !== "Record") return this.scalar(type.kind, value);
    return this.record(type.attributes, value);
  }

  record(planned: readonly PlannedAttribute[], value: unknown): Record<string, CedarValueJson> {
    // A Map or another exotic object has no own properties to find: every optional argument would look absent.
    if (!isPlainObject(value)) throw new Refused("request-invalid");
    const record: Record<string, CedarValueJson> = {};
    for (const { name, required, type } of planned) {
      const member = Object.hasOwn(value, name) ? value[name] : undefined;
      if (member !== undefined) record[name] = this.value(type, member);
      else if (required) throw new Refused("request-invalid");
    }
    return record;
  }
}

/**
 * The engine request for what is asked. Of the caller's arguments only those that the projection names are looked at,
 * and each must have its declared type. Objects are rebuilt member by member, so keys such as `__entity` and `__extn`
 * never reach the engine. Nothing is cut: what is too long is a fault.
 */
export function projectRequest(
  shape: BundleShape,
  projection: Projection,
  { action, type, id }: EntityRequest,
  facts: GovernedFacts,
): CedarRequest | ProjectionFault {
  const types = SHAPE_TYPES[shape];
  const context = projection.contexts.get(action);
  const planned = projection.resources.get(type);
  // A tool's own action that the schema leaves out is a gap in the schema; any other is something the bundle does not speak of.
  if (context === undefined || planned === undefined)
    return "tool" in facts && (facts.action ?? CALL_TOOL) === CALL_TOOL ? "request-invalid" : "not-declared";
  const projector = new Projector();
  try {
    const principal = { type: types.principal, id: projector.text(facts.principal.id) };
    const resource = { type, id: projector.text(id) };
    const entities: EntityJson[] = [
      { uid: principal, attrs: projector.facts(projection.principal, PRINCIPAL_FACTS, facts), parents: [] },
      { uid: resource, attrs: projector.facts(planned, FACTS_BY_TYPE.get(type) ?? new Map(), facts), parents: [] },
    ];
    const values = projector.facts(context.facts, CONTEXT_FACTS, facts);
    if (context.arguments !== null) values.arguments = projector.record(context.arguments, argumentsOf(facts));
    return { principal, action: { type: types.action, id: action }, resource, context: values, entities };
  } catch (thrown) {
    if (thrown instanceof Refused) return thrown.fault;
    throw thrown;
  }
}
