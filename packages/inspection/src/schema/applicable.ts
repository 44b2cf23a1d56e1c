import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { CompiledSchema } from "./compiled.ts";

type Schemas = readonly (JsonValue | undefined)[];

/** The subschemas behind a conditional schema's branch that counts for a value. */
function branches(compiled: CompiledSchema, schema: JsonObject, value: JsonValue): Schemas {
  const { allOf, anyOf, oneOf, if: condition, then, else: otherwise, dependentSchemas } = schema;
  const accepted = (option: JsonValue | undefined): boolean =>
    typeof option === "boolean" ? option : isJsonObject(option) && compiled.accepts(option, value);
  const alternatives = [anyOf, oneOf].flatMap((options) => (Array.isArray(options) ? options.filter(accepted) : []));
  const conditional = condition === undefined ? [] : accepted(condition) ? [condition, then] : [otherwise];
  const dependent =
    isJsonObject(dependentSchemas) && isJsonObject(value)
      ? Object.entries(dependentSchemas).flatMap(([name, member]) => (Object.hasOwn(value, name) ? [member] : []))
      : [];
  return [...(Array.isArray(allOf) ? allOf : []), ...alternatives, ...conditional, ...dependent];
}

/**
 * Everything that applies to a value that the whole schema accepts: the schemas given, and what they reach through references and
 * combinations. Of alternatives only those that accept the value count, so that no failing branch declares anything.
 * @throws RangeError when the check takes too much work
 */
export function applicableTo(compiled: CompiledSchema, schemas: Schemas, value: JsonValue): readonly JsonObject[] {
  const found = new Set<JsonObject>();
  const pending = [...schemas];
  while (pending.length > 0) {
    const schema = pending.pop();
    if (!isJsonObject(schema) || found.has(schema)) continue;
    const target = compiled.follow(schema);
    if (target !== undefined) pending.push(target);
    if (target !== undefined && compiled.refReplaces) continue;
    found.add(schema);
    pending.push(...branches(compiled, schema, value));
  }
  return [...found];
}

/** Keywords that say something of one kind of value alone (JSON Schema Validation 2020-12, section 6). */
const KEYWORDS = {
  string: ["minLength", "maxLength", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  array: ["items", "prefixItems"],
  object: ["properties", "patternProperties", "additionalProperties"],
  boolean: [],
  null: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

function kindOf(value: JsonValue): keyof typeof KEYWORDS {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  const kind = typeof value;
  return kind === "string" || kind === "number" || kind === "boolean" ? kind : "object";
}

/** Whether one of the schemas that apply to a value says what it is; `{}` and `true` do not. */
export function isTyped(applicable: readonly JsonObject[], value: JsonValue): boolean {
  const kind = kindOf(value);
  const names: readonly JsonValue[] = kind === "number" ? ["number", "integer"] : [kind];
  return applicable.some((schema) => {
    const { type } = schema;
    return (
      (Array.isArray(type) ? type : [type]).some((one) => one !== undefined && names.includes(one)) ||
      schema["enum"] !== undefined ||
      schema["const"] !== undefined ||
      KEYWORDS[kind].some((keyword) => schema[keyword] !== undefined)
    );
  });
}
