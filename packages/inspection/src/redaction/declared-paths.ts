import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { CompiledSchema } from "../schema/compiled.ts";
import { FieldRules } from "./field-rules.ts";

/** Most subschemas looked at on all paths; a schema with more declares nothing that could be redacted. */
const MAX_VISITED = 20_000;

const LISTS = ["allOf", "anyOf", "oneOf", "prefixItems"] as const;
const SINGLE = ["if", "then", "else", "items", "additionalItems", "unevaluatedItems"] as const;

/** Dotted paths of every property that a schema declares by its name, arrays passed through. `null` for a schema with too many. */
export function declaredPaths(compiled: CompiledSchema): ReadonlySet<string> | null {
  const paths = new Set<string>();
  const within = new Set<JsonObject>();
  let visited = 0;
  const visit = (schema: JsonValue | undefined, path: string): void => {
    if (Array.isArray(schema)) for (const one of schema) visit(one, path);
    if (!isJsonObject(schema) || within.has(schema)) return;
    visited += 1;
    if (visited > MAX_VISITED) return;
    within.add(schema);
    visit(compiled.follow(schema), path);
    for (const keyword of [...LISTS, ...SINGLE]) visit(schema[keyword], path);
    const { properties, dependentSchemas } = schema;
    if (isJsonObject(dependentSchemas)) for (const member of Object.values(dependentSchemas)) visit(member, path);
    for (const [name, member] of Object.entries(isJsonObject(properties) ? properties : {})) {
      const child = FieldRules.childPath(path, name);
      paths.add(child);
      visit(member, child);
    }
    within.delete(schema);
  };
  visit(compiled.root, "");
  return visited > MAX_VISITED ? null : paths;
}
