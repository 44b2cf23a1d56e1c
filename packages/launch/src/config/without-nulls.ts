import { unwrapSchema, memberSchema, schemaHasKey } from "./schema-members.ts";

/**
 * Removes keys whose value is null, such as the header of an empty section. An unknown key stays, so that the schema
 * refuses
 * it.
 */
export function withoutNulls(value: unknown, schema: unknown): unknown {
  const at = unwrapSchema(schema);
  if (Array.isArray(value)) return value.map((item, index) => withoutNulls(item, memberSchema(at, index)));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([key, member]) => member !== null || !schemaHasKey(at, key));
  return Object.fromEntries(members.map(([key, member]) => [key, withoutNulls(member, memberSchema(at, key))]));
}
