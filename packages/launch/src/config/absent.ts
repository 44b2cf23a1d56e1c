import { bare, below, knows } from "./schema-steps.ts";

/**
 * A configuration without the keys whose value is null, the header of an empty section among them: they say nothing.
 * A key that the schema does not know stays, for the schema to refuse.
 */
export function withoutNulls(value: unknown, schema: unknown): unknown {
  const at = bare(schema);
  if (Array.isArray(value)) return value.map((item, index) => withoutNulls(item, below(at, index)));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key, member]) => member !== null || !knows(at, key));
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutNulls(member, below(at, key))]));
}
