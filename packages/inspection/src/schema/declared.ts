import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { CompiledSchema } from "./compiled.ts";
import { beginWork } from "./work.ts";

const IN_PLACE = ["allOf", "anyOf", "oneOf"] as const;
const CONDITIONAL = ["if", "then", "else"] as const;

/** What a walk over a value removed. */
export interface Removal<T extends JsonValue = JsonValue> {
  readonly value: T;
  /** Paths of removed properties, dotted, array positions in brackets. */
  readonly removed: readonly string[];
}

/**
 * Removes properties the approved schema does not declare, at every level where it declares `properties`.
 *
 * Declared means: named in `properties`, matched by `patternProperties`, or covered by an
 * `additionalProperties`/`unevaluatedProperties` schema that says something about the value. `true`, `{}` and
 * absence say nothing and declare nothing. What any branch of `anyOf`, `oneOf` or a condition declares is
 * declared; whether the branches allow it together is for the validation that follows.
 */
export class DeclaredFilter {
  readonly #schema: CompiledSchema;
  readonly #removed: string[] = [];

  private constructor(schema: CompiledSchema) {
    this.#schema = schema;
  }

  static apply(schema: CompiledSchema, value: JsonValue): Removal {
    beginWork();
    const filter = new DeclaredFilter(schema);
    return { value: filter.#filter(value, [schema.root], ""), removed: filter.#removed };
  }

  #filter(value: JsonValue, schemas: readonly (JsonValue | undefined)[], path: string): JsonValue {
    if (typeof value !== "object" || value === null) return value;
    const applicable = this.#inPlace(schemas);
    if (Array.isArray(value))
      return value.map((item, index) => this.#filter(item, itemSchemas(applicable, index), `${path}[${index}]`));
    const closed = applicable.some((schema) => schema["properties"] !== undefined);
    const out: JsonObject = {};
    for (const [name, member] of Object.entries(value)) {
      const declared = propertySchemas(this.#schema, applicable, name);
      const at = path === "" ? name : `${path}.${name}`;
      if (closed && declared.length === 0) this.#removed.push(at);
      else out[name] = this.#filter(member, declared, at);
    }
    return out;
  }

  /** The schemas given and everything that applies to the same value through references and combinations. */
  #inPlace(schemas: readonly (JsonValue | undefined)[]): JsonObject[] {
    const found = new Set<JsonObject>();
    const pending = [...schemas];
    while (pending.length > 0) {
      const schema = pending.pop();
      if (!isJsonObject(schema) || found.has(schema)) continue;
      const target = this.#schema.follow(schema);
      if (target !== undefined) pending.push(target);
      if (target !== undefined && this.#schema.refReplaces) continue;
      found.add(schema);
      for (const keyword of IN_PLACE) if (Array.isArray(schema[keyword])) pending.push(...schema[keyword]);
      for (const keyword of CONDITIONAL) pending.push(schema[keyword]);
      if (isJsonObject(schema["dependentSchemas"])) pending.push(...Object.values(schema["dependentSchemas"]));
    }
    return [...found];
  }
}

export function propertySchemas(
  compiled: CompiledSchema,
  applicable: readonly JsonObject[],
  name: string,
): JsonValue[] {
  const declared: JsonValue[] = [];
  for (const schema of applicable) {
    const { properties, additionalProperties, unevaluatedProperties } = schema;
    let named = false;
    if (isJsonObject(properties) && Object.hasOwn(properties, name)) {
      declared.push(properties[name] ?? true);
      named = true;
    }
    const matching = compiled.matching(schema, name);
    declared.push(...matching);
    named ||= matching.length > 0;
    for (const rest of named ? [] : [additionalProperties, unevaluatedProperties])
      if (CompiledSchema.constrains(rest)) declared.push(rest);
  }
  return declared;
}

export function itemSchemas(applicable: readonly JsonObject[], index: number): (JsonValue | undefined)[] {
  return applicable.flatMap(({ prefixItems, items, additionalItems, unevaluatedItems }) => {
    const list = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : [];
    const positional = list[index];
    const rest = Array.isArray(items) ? additionalItems : items;
    return [positional ?? rest, unevaluatedItems];
  });
}
