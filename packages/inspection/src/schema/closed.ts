import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { applicableTo, isTyped } from "./applicable.ts";
import type { CompiledSchema } from "./compiled.ts";
import { itemSchemas, propertySchemas } from "./declared.ts";

/**
 * Why a value that a schema accepts does not fit it read as closed, `null` when it does: every property must be
 * declared, at every level, and every value typed. What `additionalProperties` types is declared; `true`, `{}` and
 * absence declare nothing.
 * @throws RangeError when the check takes too much work
 */
export function closedFault(compiled: CompiledSchema, value: JsonObject): string | null {
  // Arguments are an object whatever the schema says.
  return faultWithin(compiled, value, applicableTo(compiled, [compiled.root], value));
}

function faultOf(
  compiled: CompiledSchema,
  value: JsonValue,
  schemas: readonly (JsonValue | undefined)[],
): string | null {
  const applicable = applicableTo(compiled, schemas, value);
  if (!isTyped(applicable, value)) return "an argument has no type in the schema";
  return typeof value === "object" && value !== null ? faultWithin(compiled, value, applicable) : null;
}

function faultWithin(
  compiled: CompiledSchema,
  value: JsonObject | JsonValue[],
  applicable: readonly JsonObject[],
): string | null {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const fault = faultOf(compiled, item, itemSchemas(applicable, index));
      if (fault !== null) return fault;
    }
    return null;
  }
  for (const [name, member] of Object.entries(value)) {
    const declared = propertySchemas(compiled, applicable, name);
    const fault =
      declared.length === 0 ? "an argument is not declared in the schema" : faultOf(compiled, member, declared);
    if (fault !== null) return fault;
  }
  return null;
}
