import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { LinearPattern } from "./pattern/linear-pattern.ts";

/** Longest property name in a value that is matched against `patternProperties`, in UTF-16 units. */
export const MAX_MATCHED_NAME = 256;
/** Most different property names of a value that are matched. */
export const MAX_MATCHED_NAMES = 256;

interface Member {
  readonly pattern: LinearPattern;
  readonly schema: JsonValue;
}

/** Every property name in a value; `null` when there are too many, or one is too long, to match. */
function namesOf(value: JsonValue, names: Set<string>): Set<string> | null {
  if (typeof value !== "object" || value === null) return names;
  for (const [name, member] of Object.entries(value)) {
    if (!Array.isArray(value)) names.add(name);
    if (name.length > MAX_MATCHED_NAME || names.size > MAX_MATCHED_NAMES || namesOf(member, names) === null)
      return null;
  }
  return names;
}

const literal = (name: string): string =>
  Array.from(name, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`).join("");

/**
 * The `patternProperties` of one schema. The library matches them itself, so for each value they are written as the names that
 * the linear engine found to match: alternatives of whole names, between which nothing backtracks.
 */
export class NamePatterns {
  readonly #members = new Map<JsonObject, readonly Member[]>();

  /** Takes over the `patternProperties` of a subschema of our own copy. */
  add(subschema: JsonObject): void {
    const { patternProperties } = subschema;
    if (!isJsonObject(patternProperties)) return;
    const members = Object.entries(patternProperties).map(([source, schema]): Member => {
      const pattern = LinearPattern.read(source);
      if (typeof pattern === "string") throw new RangeError(pattern);
      return { pattern, schema };
    });
    this.#members.set(subschema, members);
  }

  /** Schemas of those members of a subschema's `patternProperties` that match a name. */
  matching(subschema: JsonObject, name: string): JsonValue[] {
    const members = this.#members.get(subschema) ?? [];
    return name.length > MAX_MATCHED_NAME
      ? []
      : members.flatMap(({ pattern, schema }) => (pattern.test(name) ? [schema] : []));
  }

  /** Writes the patterns for a value. @returns whether its names can be matched */
  fit(value: JsonValue): boolean {
    if (this.#members.size === 0) return true;
    const names = namesOf(value, new Set());
    if (names === null) return false;
    for (const [subschema, members] of this.#members) {
      subschema["patternProperties"] = Object.fromEntries(
        members.map(({ pattern, schema }, index) => {
          const found = [...names].filter((name) => pattern.test(name));
          const whole = found.length === 0 ? "[]" : `^(?:${found.map(literal).join("|")})$`;
          // The repetition of nothing keeps two patterns with the same names apart.
          return [`${whole}(?:){${index + 1}}`, schema];
        }),
      );
    }
    return true;
  }
}
