import { CmcpError } from "../error.ts";
import type { JsonValue } from "./value.ts";

const MAX_DEPTH = 128;

function refuse(why: string): never {
  throw new CmcpError("JSON_NOT_CANONICALIZABLE", `not canonical JSON: ${why}`);
}

/** RFC 8785 section 3.2.2.2. A string without a lone surrogate is written as ECMA-262 has it. */
function quoted(text: string, what: string): string {
  if (!text.isWellFormed()) refuse(`${what} has a lone surrogate`);
  return JSON.stringify(text);
}

/** Everything JCS cannot carry is an error, because it would silently be something else when read. */
function written(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) refuse(`nested deeper than ${MAX_DEPTH}`);
  if (typeof value === "string") return quoted(value, "a string");
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) refuse("a number is not finite");
    // ECMA-262 Number::toString, as RFC 8785 section 3.2.2.3 has it; the sign of zero is not written.
    return String(value);
  }
  if (typeof value !== "object") refuse(`a value is ${typeof value}`);
  return Array.isArray(value) ? writtenArray(value, depth) : writtenObject(value, depth);
}

function writtenArray(array: readonly unknown[], depth: number): string {
  if (Object.getPrototypeOf(array) !== Array.prototype) refuse("an array is not a plain array");
  if (Object.keys(array).length !== array.length) refuse("an array is sparse or has named members");
  return `[${array.map((item) => written(item, depth + 1)).join(",")}]`;
}

function writtenObject(object: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) refuse("an object is not a plain record");
  const keys = Object.keys(object);
  // Hidden members would be left out.
  if (Reflect.ownKeys(object).length !== keys.length) refuse("an object has symbol keys or hidden members");
  // Without a comparator the order is that of UTF-16 code units (RFC 8785 section 3.2.3).
  keys.sort();
  let text = "{";
  for (const key of keys) text += (text === "{" ? "" : ",") + quoted(key, "a key") + ":" + written(Reflect.get(object, key), depth + 1);
  return `${text}}`;
}

/** RFC 8785 text of a JSON value. Throws `JSON_NOT_CANONICALIZABLE` for anything JCS cannot carry unchanged. */
export function canonicalText(value: JsonValue | object): string {
  return written(value, 0);
}

const encoder = new TextEncoder();

/** UTF-8 bytes of {@link canonicalText}. */
export function canonicalBytes(value: JsonValue | object): Uint8Array<ArrayBuffer> {
  return encoder.encode(canonicalText(value));
}
