import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { formatOf, formatOfPattern, lengthGuard } from "./formats.ts";
import { LinearPattern } from "./pattern/linear-pattern.ts";

/** Most items `uniqueItems` compares; a longer array is not unique. The comparison grows with the square. */
export const MAX_UNIQUE_ITEMS = 1000;
/** Most subschemas of one schema. */
export const MAX_SUBSCHEMAS = 5000;
const MAX_SCHEMA_NESTING = 64;

const TYPES: ReadonlySet<unknown> = new Set(["array", "boolean", "integer", "null", "number", "object", "string"]);
const isStrings = (value: JsonValue): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === "string");
const isCount = (value: JsonValue): boolean => typeof value === "number" && Number.isInteger(value) && value >= 0;
const isNumber = (value: JsonValue): boolean => typeof value === "number";
const isStringsMap = (value: JsonValue): boolean => isJsonObject(value) && Object.values(value).every(isStrings);

/** Keywords that assert by themselves, with the shape their value must have (JSON Schema Validation 2020-12, section 6). */
const ASSERTIONS: Readonly<Record<string, (value: JsonValue) => boolean>> = {
  type: (value) =>
    TYPES.has(value) || (Array.isArray(value) && value.length > 0 && value.every((item) => TYPES.has(item))),
  enum: (value) => Array.isArray(value),
  const: () => true,
  required: isStrings,
  dependentRequired: isStringsMap,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: (value) => isNumber(value) || typeof value === "boolean",
  exclusiveMaximum: (value) => isNumber(value) || typeof value === "boolean",
  multipleOf: (value) => typeof value === "number" && value > 0,
  minLength: isCount,
  maxLength: isCount,
  minItems: isCount,
  maxItems: isCount,
  minContains: isCount,
  maxContains: isCount,
  minProperties: isCount,
  maxProperties: isCount,
};

/** Of these, those that a guard asserts in their place. */
const LENGTHS: ReadonlySet<string> = new Set(["minLength", "maxLength"]);

const SINGLE: ReadonlySet<string> = new Set([
  "additionalProperties",
  "unevaluatedProperties",
  "unevaluatedItems",
  "contains",
  "propertyNames",
  "not",
  "if",
  "then",
  "else",
]);
const LISTS: ReadonlySet<string> = new Set(["allOf", "anyOf", "oneOf", "prefixItems"]);
const MAPS: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "dependentSchemas",
  "$defs",
  "definitions",
]);
/** Keywords that decide what is valid in ways the validator does not follow. */
const REFUSED: ReadonlySet<string> = new Set([
  "$dynamicRef",
  "$dynamicAnchor",
  "$recursiveRef",
  "$recursiveAnchor",
  "__absolute_ref__",
  "__absolute_recursive_ref__",
  "__absolute_uri__",
]);

/**
 * Copies a schema into the profile that the validator reads exactly: unknown keywords (annotations) gone,
 * references local, and patterns, formats and uniqueness asserted only on input they are cheap on.
 * The copy is what the validator may write its own marks into.
 */
export class ProfileCopy {
  readonly #owner: string;
  #subschemas = 0;

  /** @param owner how messages name the schema, such as `tool x: output_schema` */
  constructor(owner: string) {
    this.#owner = owner;
  }

  /** @throws CmcpError `CATALOG_INVALID` naming owner and place */
  copy(schema: JsonValue, at = "#", depth = 0): JsonObject | boolean {
    this.#subschemas += 1;
    if (this.#subschemas > MAX_SUBSCHEMAS) this.#refuse(at, `more than ${MAX_SUBSCHEMAS} subschemas`);
    if (depth > MAX_SCHEMA_NESTING) this.#refuse(at, `nested deeper than ${MAX_SCHEMA_NESTING}`);
    if (typeof schema === "boolean") return schema;
    if (!isJsonObject(schema)) this.#refuse(at, "is not a schema");
    const out: JsonObject = {};
    for (const [keyword, value] of Object.entries(schema)) {
      const copied = this.#keyword(keyword, value, at, depth);
      if (copied !== undefined) out[keyword] = copied;
    }
    // Only beside a list of item schemas does the keyword mean anything.
    if (Array.isArray(schema["items"]) && schema["additionalItems"] !== undefined)
      out["additionalItems"] = this.copy(schema["additionalItems"], `${at}/additionalItems`, depth + 1);
    const guards = this.#guards(schema, at, depth);
    if (guards.length > 0) out["allOf"] = [...(Array.isArray(out["allOf"]) ? out["allOf"] : []), ...guards];
    return out;
  }

  /** A keyword's value in the copy; `undefined` for what the copy leaves out. */
  #keyword(keyword: string, value: JsonValue, at: string, depth: number): JsonValue | undefined {
    const here = `${at}/${keyword}`;
    const asserts = Object.hasOwn(ASSERTIONS, keyword) ? ASSERTIONS[keyword] : undefined;
    if (asserts !== undefined) {
      if (!asserts(value)) this.#refuse(here, "has a value of the wrong kind");
      return LENGTHS.has(keyword) ? undefined : structuredClone(value);
    }
    if (LISTS.has(keyword) || (keyword === "items" && Array.isArray(value))) {
      if (!Array.isArray(value)) this.#refuse(here, "is not an array");
      return value.map((item, index) => this.copy(item, `${here}/${index}`, depth + 1));
    }
    if (SINGLE.has(keyword) || keyword === "items") return this.copy(value, here, depth + 1);
    if (MAPS.has(keyword)) return this.#map(value, here, depth);
    if (keyword === "$ref") {
      if (typeof value !== "string" || !value.startsWith("#"))
        this.#refuse(here, "only references within the schema are followed");
      return value;
    }
    if (keyword === "$anchor") {
      if (typeof value !== "string" || !/^[A-Za-z_][A-Za-z0-9._-]{0,127}$/.test(value))
        this.#refuse(here, "is not an anchor");
      return value;
    }
    if (REFUSED.has(keyword) || (keyword === "$id" && at !== "#")) this.#refuse(here, "is not supported");
    return undefined;
  }

  #map(value: JsonValue, at: string, depth: number): JsonObject {
    if (!isJsonObject(value)) this.#refuse(at, "is not an object");
    const out: JsonObject = {};
    for (const [name, member] of Object.entries(value)) {
      if (name === "__proto__") this.#refuse(at, "has a key __proto__");
      if (at.endsWith("/patternProperties")) this.#pattern(name, at);
      out[name] = this.copy(member, `${at}/${name}`, depth + 1);
    }
    return out;
  }

  /** Subschemas that assert what the schema's costly keywords say, on bounded input only. */
  #guards(schema: JsonObject, at: string, depth: number): JsonObject[] {
    const guards: JsonObject[] = [];
    const { minLength, maxLength, pattern, format, uniqueItems, dependencies } = schema;
    if (minLength !== undefined || maxLength !== undefined)
      guards.push(
        lengthGuard({
          ...(typeof minLength === "number" ? { minLength } : {}),
          ...(typeof maxLength === "number" ? { maxLength } : {}),
        }),
      );
    // The library calls a format by its name and matches a pattern itself, so a pattern becomes a format of ours.
    if (typeof pattern === "string")
      guards.push({ format: formatOfPattern(pattern, this.#pattern(pattern, `${at}/pattern`)) });
    else if (pattern !== undefined) this.#refuse(`${at}/pattern`, "is not a string");
    // Formats that are not read here are annotations.
    const asserted = typeof format === "string" ? formatOf(format) : null;
    // The wrapper only tells the two apart in a finding's place.
    if (asserted !== null) guards.push({ if: false, else: { format: asserted } });
    if (uniqueItems === true)
      guards.push({ maxItems: MAX_UNIQUE_ITEMS, if: { minItems: MAX_UNIQUE_ITEMS + 1 }, else: { uniqueItems: true } });
    if (dependencies !== undefined) guards.push(this.#dependencies(dependencies, `${at}/dependencies`, depth));
    return guards;
  }

  #pattern(source: string, at: string): LinearPattern {
    const pattern = LinearPattern.read(source);
    return typeof pattern === "string" ? this.#refuse(at, pattern) : pattern;
  }

  /** The older keyword in the terms of the two that replaced it. */
  #dependencies(value: JsonValue, at: string, depth: number): JsonObject {
    if (!isJsonObject(value)) this.#refuse(at, "is not an object");
    const dependentRequired: JsonObject = {};
    const dependentSchemas: JsonObject = {};
    for (const [name, member] of Object.entries(value)) {
      if (name === "__proto__") this.#refuse(at, "has a key __proto__");
      if (isStrings(member)) dependentRequired[name] = structuredClone(member);
      else dependentSchemas[name] = this.copy(member, `${at}/${name}`, depth + 1);
    }
    return { dependentRequired, dependentSchemas };
  }

  #refuse(at: string, why: string): never {
    throw new CmcpError("CATALOG_INVALID", `${this.#owner}: ${at.slice(0, 200)}: ${why}`);
  }
}
