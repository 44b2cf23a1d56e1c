import * as z from "zod";

/** Takes wrappers such as default and nullish off a schema. */
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

/** Whether a mapping may have the key; where it may have one of several forms, in any of them. */
export function schemaHasKey(schema: unknown, key: PropertyKey): boolean {
  if (schema instanceof z.ZodObject) return Object.hasOwn(schema.shape, key);
  if (schema instanceof z.ZodRecord) return z.safeParse(schema.keyType, key).success;
  return schema instanceof z.ZodUnion && schema.options.some((option) => schemaHasKey(unwrapSchema(option), key));
}

/** What stands below a schema at one step of a path. */
export function memberSchema(schema: unknown, step: PropertyKey): unknown {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodObject)
    return schemaHasKey(schema, step) ? (schema.shape as Record<PropertyKey, unknown>)[step] : undefined;
  return schema instanceof z.ZodRecord ? schema.valueType : undefined;
}
