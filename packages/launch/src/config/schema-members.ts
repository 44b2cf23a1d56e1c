import * as z from "zod";

/** The schema inside wrappers such as `default` and `nullish`. */
export function unwrapSchema(schema: unknown): unknown {
  let inner = schema;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodNullable
  ) {
    inner = inner.def.innerType;
  }
  return inner;
}

/** Whether a mapping may have the key; for a union, whether any of its options may. */
export function schemaHasKey(schema: unknown, key: PropertyKey): boolean {
  if (schema instanceof z.ZodObject) return Object.hasOwn(schema.shape, key);
  if (schema instanceof z.ZodRecord) return z.safeParse(schema.keyType, key).success;
  return schema instanceof z.ZodUnion && schema.options.some((option) => schemaHasKey(unwrapSchema(option), key));
}

/** The schema of a member or an item of a schema. */
export function memberSchema(schema: unknown, step: PropertyKey): unknown {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodObject)
    return schemaHasKey(schema, step) ? (schema.shape as Record<PropertyKey, unknown>)[step] : undefined;
  return schema instanceof z.ZodRecord ? schema.valueType : undefined;
}
