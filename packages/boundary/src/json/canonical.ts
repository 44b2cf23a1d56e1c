import canonicalize from "canonicalize";
import { CmcpError } from "../error.ts";
import type { JsonValue } from "./value.ts";

const MAX_DEPTH = 128;

function refuse(why: string): never {
  throw new CmcpError("JSON_NOT_CANONICALIZABLE", `not canonical JSON: ${why}`);
}

/** Everything JCS cannot carry is an error here, because a canonicalizer may silently change it. */
function gate(value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) refuse(`nested deeper than ${MAX_DEPTH}`);
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) refuse("a string has a lone surrogate");
      return;
    case "number":
      if (!Number.isFinite(value)) refuse("a number is not finite");
      return;
    case "boolean":
      return;
    case "object":
      break;
    default:
      refuse(`a value is ${typeof value}`);
  }
  if (value === null) return;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      if (!(index in value)) refuse("an array is sparse");
      gate(value[index], depth + 1);
    }
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) refuse("an object is not a plain record");
  if (Object.getOwnPropertySymbols(value).length > 0) refuse("an object has symbol keys");
  for (const [key, member] of Object.entries(value)) {
    if (!key.isWellFormed()) refuse("a key has a lone surrogate");
    gate(member, depth + 1);
  }
}

/** RFC 8785 text of a JSON value. Throws `JSON_NOT_CANONICALIZABLE` for anything JCS cannot carry unchanged. */
export function canonicalText(value: JsonValue | object): string {
  gate(value, 0);
  const text = canonicalize(value);
  if (text === undefined) refuse("nothing to encode");
  return text;
}

const encoder = new TextEncoder();

/** UTF-8 bytes of {@link canonicalText}. */
export function canonicalBytes(value: JsonValue | object): Uint8Array<ArrayBuffer> {
  return encoder.encode(canonicalText(value));
}
