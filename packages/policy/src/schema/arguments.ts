import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { FactKind } from "../facts.ts";

/** What one approved thing says of the arguments it takes. */
export interface ArgumentSource {
  declares(name: string): boolean;
  /** `undefined` for a type Cedar has no exact counterpart of. */
  kindOf(name: string): FactKind | undefined;
  requires(name: string): boolean;
}

const SCALARS: ReadonlyMap<JsonValue | undefined, FactKind> = new Map<JsonValue | undefined, FactKind>([
  ["string", "String"],
  ["integer", "Long"],
  ["boolean", "Bool"],
]);

/** Cedar type of a JSON Schema property; `undefined` where there is no exact counterpart. */
function propertyKind(property: JsonValue | undefined): FactKind | undefined {
  if (!isJsonObject(property)) return undefined;
  if (property.type === "array")
    return isJsonObject(property.items) && property.items.type === "string" ? "Set" : undefined;
  return SCALARS.get(property.type);
}

/** Arguments of a tool, by its approved input schema. */
export function toolArguments({ inputSchema }: { readonly inputSchema: JsonObject }): ArgumentSource {
  const properties = isJsonObject(inputSchema.properties) ? inputSchema.properties : {};
  const required = Array.isArray(inputSchema.required) ? inputSchema.required : [];
  return {
    declares: (name) => Object.hasOwn(properties, name),
    kindOf: (name) => (Object.hasOwn(properties, name) ? propertyKind(properties[name]) : undefined),
    requires: (name) => required.includes(name),
  };
}

/** Arguments that are texts: those of a prompt, and the variables of a template. */
export function textArguments(names: readonly string[], required: readonly string[] = []): ArgumentSource {
  return {
    declares: (name) => names.includes(name),
    kindOf: (name) => (names.includes(name) ? "String" : undefined),
    requires: (name) => required.includes(name),
  };
}

/** The one type all sources that declare an argument give it; where they differ, or none declares it, there is none. */
export function agreedKind(sources: readonly ArgumentSource[], name: string): FactKind | undefined {
  const kinds = new Set(sources.filter((source) => source.declares(name)).map((source) => source.kindOf(name)));
  const [kind] = kinds;
  return kinds.size === 1 ? kind : undefined;
}
