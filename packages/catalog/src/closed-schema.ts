import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** Keywords whose subschema stands for one member, item or definition of its own. */
const SINGLE = ["items", "additionalItems", "contains"] as const;
const BY_NAME = ["properties", "patternProperties"] as const;
const DEFINITIONS = ["$defs", "definitions"] as const;
/** Keywords that describe the same value once more: what they declare is not in sight of `additionalProperties`. */
const COMBINING = [
  "$ref",
  "$dynamicRef",
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "if",
  "then",
  "else",
  "dependentSchemas",
  "unevaluatedProperties",
] as const;
/** Keywords that say nothing of a value. */
const ANNOTATIONS: ReadonlySet<string> = new Set(["title", "description", "default", "deprecated", "examples"]);

function isOpen(value: JsonValue | undefined): boolean {
  return value === undefined || value === true || (isJsonObject(value) && Object.keys(value).length === 0);
}

/** The definition of the same document that a schema stands for, where it is nothing but a reference to it. */
function loneReference(schema: JsonValue): string | null {
  if (!isJsonObject(schema) || typeof schema["$ref"] !== "string") return null;
  return Object.keys(schema).every((key) => key === "$ref" || ANNOTATIONS.has(key)) ? schema["$ref"] : null;
}

/** Whether a schema admits values that are no objects only. */
function isScalar(schema: JsonValue): boolean {
  const { type } = isJsonObject(schema) ? schema : {};
  return typeof type === "string" && type !== "object" && type !== "array";
}

/** The one alternative that is no scalar, where the others are and nothing stands beside them: `X or null`. */
function alternative(schema: JsonObject): { readonly key: "anyOf" | "oneOf"; readonly index: number } | null {
  const key = schema["anyOf"] === undefined ? "oneOf" : "anyOf";
  const list = schema[key];
  if (!Array.isArray(list) || !Object.keys(schema).every((name) => name === key || ANNOTATIONS.has(name))) return null;
  const others = list.flatMap((one, index) => (isScalar(one) ? [] : [index]));
  const [index] = others;
  return index === undefined || others.length > 1 ? null : { key, index };
}

/** Every reference in a value, wherever it stands. */
function references(value: JsonValue, found: Map<string, number>): Map<string, number> {
  if (Array.isArray(value)) for (const item of value) references(item, found);
  else if (isJsonObject(value))
    for (const [key, member] of Object.entries(value)) {
      if (key === "$ref" && typeof member === "string") found.set(member, (found.get(member) ?? 0) + 1);
      references(member, found);
    }
  return found;
}

/** One walk over a schema. It counts the references after which a definition may be closed. */
class Closing {
  /** References that stand for the whole of a value, by their text. */
  readonly sound = new Map<string, number>();

  close(schema: JsonValue): JsonValue {
    if (!isJsonObject(schema)) return schema;
    const reference = loneReference(schema);
    if (reference !== null) {
      this.sound.set(reference, (this.sound.get(reference) ?? 0) + 1);
      return schema;
    }
    const choice = alternative(schema);
    if (choice !== null) {
      const list = schema[choice.key];
      if (!Array.isArray(list)) return schema;
      return { ...schema, [choice.key]: list.map((one, at) => (at === choice.index ? this.close(one) : one)) };
    }
    if (COMBINING.some((keyword) => schema[keyword] !== undefined)) return schema;
    return this.#closeObject(schema);
  }

  #closeObject(schema: JsonObject): JsonObject {
    const inner: Record<string, JsonValue> = { ...schema };
    for (const keyword of SINGLE) {
      const value = schema[keyword];
      if (isJsonObject(value)) inner[keyword] = this.close(value);
    }
    for (const keyword of BY_NAME) {
      const value = schema[keyword];
      if (isJsonObject(value)) inner[keyword] = this.closeEach(value);
    }
    const { additionalProperties: more } = schema;
    if (isJsonObject(more) && !isOpen(more)) inner["additionalProperties"] = this.close(more);
    const isObject = schema["type"] === "object" || isJsonObject(schema["properties"]);
    if (isObject && isOpen(more)) inner["additionalProperties"] = false;
    return inner;
  }

  closeEach(schemas: JsonObject): JsonObject {
    return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, this.close(schema)]));
  }
}

/**
 * A schema in which every object that leaves members open refuses what it does not declare, as the gateway does. Where
 * several subschemas describe one object together, each sees its own members only: such objects stay as they are.
 */
export function closedSchema(schema: JsonObject): JsonObject {
  const walk = new Closing();
  const closed = walk.close(schema);
  if (!isJsonObject(closed)) return schema;
  // Definitions refer to one another: what is sound is known once all are walked.
  const definitions = DEFINITIONS.flatMap((keyword) => {
    const value = schema[keyword];
    return isJsonObject(value) ? [[keyword, value, walk.closeEach(value)] as const] : [];
  });
  const all = references(schema, new Map());
  const result: Record<string, JsonValue> = { ...closed };
  for (const [keyword, open, shut] of definitions)
    result[keyword] = Object.fromEntries(
      Object.entries(open).map(([name, definition]) => {
        const reference = `#/${keyword}/${name}`;
        const isSound = all.get(reference) === walk.sound.get(reference);
        return [name, isSound ? (shut[name] ?? definition) : definition];
      }),
    );
  return result;
}

/** Whether `closed` is `open` with `additionalProperties: false` where nothing was said, and nothing else. */
export function onlyCloses(open: JsonValue, closed: JsonValue): boolean {
  if (Array.isArray(open))
    return (
      Array.isArray(closed) &&
      closed.length === open.length &&
      open.every((item, index) => onlyCloses(item, closed[index] ?? null))
    );
  if (!isJsonObject(open) || !isJsonObject(closed)) return open === closed;
  const added = closed["additionalProperties"] === false && isOpen(open["additionalProperties"]);
  const names = new Set([...Object.keys(open), ...Object.keys(closed)]);
  if (added) names.delete("additionalProperties");
  return [...names].every((name) => {
    const [before, after] = [open[name], closed[name]];
    return before !== undefined && after !== undefined && onlyCloses(before, after);
  });
}
