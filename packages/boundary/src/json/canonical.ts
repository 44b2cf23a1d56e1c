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
  if (value === null || typeof value === "boolean") return;
  if (typeof value === "string") {
    if (!value.isWellFormed()) refuse("a string has a lone surrogate");
    return;
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) refuse("a number is not finite");
    return;
  }
  if (typeof value !== "object") refuse(`a value is ${typeof value}`);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) {
    if (prototype !== Array.prototype) refuse("an array is not a plain array");
    if (Object.keys(value).length !== value.length) refuse("an array is sparse or has named members");
    for (const item of value) gate(item, depth + 1);
    return;
  }
  if (prototype !== Object.prototype && prototype !== null) refuse("an object is not a plain record");
  const members = Object.entries(value);
  // A hidden `toJSON` would replace the object.
  if (Reflect.ownKeys(value).length !== members.length) refuse("an object has symbol keys or hidden members");
  for (const [key, member] of members) {
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
