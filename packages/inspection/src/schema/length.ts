import { format as formats } from "@cfworker/json-schema";
import type { JsonObject } from "@cmcp/boundary";

/** The validator's formats, without those that are added to them here. */
export const KNOWN_FORMATS: ReadonlySet<string> = new Set(Object.keys(formats));

/**
 * A subschema that asserts the length of a string. The validator counts code points, with frozen intrinsics at several
 * calls each. A code point is one or two UTF-16 units, so a format of our own tells most lengths at once; what it
 * cannot tell is left to the validator.
 */
export function lengthGuard({
  minLength = 0,
  maxLength = Number.MAX_SAFE_INTEGER,
}: {
  readonly minLength?: number;
  readonly maxLength?: number;
}): JsonObject {
  const name = `surely ${minLength} to ${maxLength} code points`;
  formats[name] ??= (text) => text.length <= maxLength && text.length >= minLength * 2 - 1;
  return { if: { format: name }, else: { minLength, maxLength } };
}
