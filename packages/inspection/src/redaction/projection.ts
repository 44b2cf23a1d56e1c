import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { applicableTo, isTyped } from "../schema/applicable.ts";
import type { CompiledSchema } from "../schema/compiled.ts";
import { itemSchemas, propertySchemas } from "../schema/declared.ts";
import { formatOf } from "../schema/formats.ts";
import { FieldRules } from "./field-rules.ts";
import type { RepeatedValues } from "./repeated-values.ts";

/** Says of a value that it is left out. */
export const GONE = Symbol("gone");

/** Formats whose grammar leaves no room for words. Any other text is free, however its pattern confines it. */
const WORDLESS: ReadonlySet<JsonValue | undefined> = new Set(
  ["date", "time", "date-time", "uuid", "ipv4", "ipv6"].flatMap((name) => formatOf(name) ?? []),
);

/** What is taken out of a result, and what free text stays. */
export interface ProjectionTerms {
  readonly redact: FieldRules;
  readonly keep: FieldRules;
  readonly repeated: RepeatedValues;
}

type Schemas = readonly (JsonValue | undefined)[];

/**
 * Projects a value that a schema accepts onto that schema without the redacted members, at every level. Only what the schema declares by
 * name and types stays: maps, objects without declared properties and arrays of arrays go, and so does free text that is not to be kept.
 */
export class Projection {
  readonly #schema: CompiledSchema;
  readonly #terms: ProjectionTerms;
  /** Values left out. */
  removed = 0;

  constructor(schema: CompiledSchema, terms: ProjectionTerms) {
    this.#schema = schema;
    this.#terms = terms;
  }

  /** @throws RangeError when the check takes too much work */
  of(value: JsonValue): JsonValue | typeof GONE {
    return this.#value(value, [this.#schema.root], "");
  }

  #value(value: JsonValue, schemas: Schemas, path: string): JsonValue | typeof GONE {
    const applicable = applicableTo(this.#schema, schemas, value);
    if (!isTyped(applicable, value)) return this.#gone();
    if (typeof value === "string") return this.#stays(value, applicable, path) ? value : this.#gone();
    if (typeof value === "number") return this.#terms.repeated.areIn(String(value)) ? this.#gone() : value;
    if (Array.isArray(value)) return this.#array(value, applicable, path);
    return isJsonObject(value) ? this.#object(value, applicable, path) : value;
  }

  #array(value: readonly JsonValue[], applicable: readonly JsonObject[], path: string): JsonValue[] {
    return value.flatMap((item, index) => {
      // A row says by position what its names would say, so nothing in it can be told apart.
      const projected = Array.isArray(item) ? this.#gone() : this.#value(item, itemSchemas(applicable, index), path);
      return projected === GONE ? [] : [projected];
    });
  }

  #object(value: JsonObject, applicable: readonly JsonObject[], path: string): JsonObject | typeof GONE {
    const declared = new Set(
      applicable.flatMap(({ properties }) => (isJsonObject(properties) ? Object.keys(properties) : [])),
    );
    if (declared.size === 0) return this.#gone();
    const out: JsonObject = {};
    for (const [name, member] of Object.entries(value)) {
      const child = FieldRules.childPath(path, name);
      const projected =
        declared.has(name) && !this.#terms.redact.matches(child)
          ? this.#value(member, propertySchemas(this.#schema, applicable, name), child)
          : this.#gone();
      if (projected !== GONE) out[name] = projected;
    }
    return out;
  }

  #stays(text: string, applicable: readonly JsonObject[], path: string): boolean {
    if (applicable.some((schema) => schema["enum"] !== undefined || schema["const"] !== undefined)) return true;
    const { keep, redact, repeated } = this.#terms;
    if (repeated.areIn(text)) return false;
    return applicable.some(({ format }) => WORDLESS.has(format)) || (keep.matches(path) && !redact.areStatedIn(text));
  }

  #gone(): typeof GONE {
    this.removed += 1;
    return GONE;
  }
}
