import { isJsonObject, type JsonValue } from "@cmcp/boundary";

/** Whether a value is another one, or what is left of it when members of its objects are left out. */
export function isPartOf(part: JsonValue, whole: JsonValue | undefined): boolean {
  if (isJsonObject(part))
    return (
      isJsonObject(whole) &&
      Object.entries(part).every(([name, value]) => Object.hasOwn(whole, name) && isPartOf(value, whole[name]))
    );
  if (!Array.isArray(part)) return part === whole;
  return (
    Array.isArray(whole) && part.length === whole.length && part.every((value, index) => isPartOf(value, whole[index]))
  );
}
