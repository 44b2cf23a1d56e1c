import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { BOOL, LONG, STRING, STRINGS, type FactType } from "../fact-type.ts";

/** What one approved thing says of the arguments it takes. */
export interface ArgumentSource {
  declares(name: string): boolean;
  /** `undefined` for a type Cedar has no exact counterpart of. */
  typeOf(name: string): FactType | undefined;
  requires(name: string): boolean;
}

const SCALARS: ReadonlyMap<JsonValue | undefined, FactType> = new Map<JsonValue | undefined, FactType>([
  ["string", STRING],
  ["integer", LONG],
  ["boolean", BOOL],
]);

/** Cedar type of a JSON Schema property; `undefined` where there is no exact counterpart. */
function propertyType(property: JsonValue | undefined): FactType | undefined {
  if (!isJsonObject(property)) return undefined;
  if (property.type === "array")
    return isJsonObject(property.items) && property.items.type === "string" ? STRINGS : undefined;
  return SCALARS.get(property.type);
}

/** Arguments of a tool, by its approved input schema. */
export function toolArguments({ inputSchema }: { readonly inputSchema: JsonObject }): ArgumentSource {
  const properties = isJsonObject(inputSchema.properties) ? inputSchema.properties : {};
  const required = Array.isArray(inputSchema.required) ? inputSchema.required : [];
  return {
    declares: (name) => Object.hasOwn(properties, name),
    typeOf: (name) => (Object.hasOwn(properties, name) ? propertyType(properties[name]) : undefined),
    requires: (name) => required.includes(name),
  };
}

/** Arguments that are texts: those of a prompt, and the variables of a template. */
export function textArguments(names: readonly string[], required: readonly string[] = []): ArgumentSource {
  return {
    declares: (name) => names.includes(name),
    typeOf: (name) => (names.includes(name) ? STRING : undefined),
    requires: (name) => required.includes(name),
  };
}

/** The one type all sources that declare an argument give it; where they differ, or none declares it, there is none. */
export function agreedType(sources: readonly ArgumentSource[], name: string): FactType | undefined {
  const types = new Set(sources.filter((source) => source.declares(name)).map((source) => source.typeOf(name)));
  const [type] = types;
  return types.size === 1 ? type : undefined;
}
