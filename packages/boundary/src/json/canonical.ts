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

/**
 * An object that is serialized once and used several times: alone, with one more member, or inside another value.
 */
export class CanonicalObject {
  /** The member names in canonical order, and each member's serialized text. */
  readonly #names: readonly string[];
  readonly #members: readonly string[];

  private constructor(names: readonly string[], members: readonly string[]) {
    this.#names = names;
    this.#members = members;
  }

  /** @throws CmcpError `JSON_NOT_CANONICALIZABLE` for anything JCS cannot carry unchanged */
  static of(object: object): CanonicalObject {
    const names = sortedKeys(object);
    return new CanonicalObject(
      names,
      names.map((name) => member(object, name, 0)),
    );
  }

  /**
   * The record with one member more.
   * @throws CmcpError `JSON_NOT_CANONICALIZABLE` for a value JCS cannot carry, or a name it has
   */
  with(name: string, value: JsonValue): CanonicalObject {
    const found = this.#names.findIndex((other) => other >= name);
    const at = found === -1 ? this.#names.length : found;
    if (this.#names[at] === name) refuse("duplicate member");
    return new CanonicalObject(
      this.#names.toSpliced(at, 0, name),
      this.#members.toSpliced(at, 0, `${quoted(name, "a key")}:${written(value, 1)}`),
    );
  }

  /** RFC 8785 text. */
  get text(): string {
    return `{${this.#members.join(",")}}`;
  }
}

/** Serializes a value. What JCS cannot carry is an error, as a reader would get another value. */
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
  if (value instanceof CanonicalObject) return value.text;
  return Array.isArray(value) ? writtenArray(value, depth) : writtenObject(value, depth);
}

function writtenArray(array: readonly unknown[], depth: number): string {
  if (Object.getPrototypeOf(array) !== Array.prototype) refuse("an array is not a plain array");
  if (Object.keys(array).length !== array.length) refuse("an array is sparse or has named members");
  return `[${array.map((item) => written(item, depth + 1)).join(",")}]`;
}

function writtenObject(object: object, depth: number): string {
  const members = sortedKeys(object).map((key) => member(object, key, depth));
  return `{${members.join(",")}}`;
}

function member(object: object, key: string, depth: number): string {
  return `${quoted(key, "a key")}:${written((object as Readonly<Record<string, unknown>>)[key], depth + 1)}`;
}

function sortedKeys(object: object): string[] {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) refuse("an object is not a plain record");
  const keys = Object.keys(object);
  // Symbol keys and hidden members would be left out. Two calls, because `Reflect.ownKeys` takes ten times as long.
  if (Object.getOwnPropertyNames(object).length !== keys.length || Object.getOwnPropertySymbols(object).length > 0)
    refuse("an object has symbol keys or hidden members");
  // RFC 8785 section 3.2.3 orders names by UTF-16 code units, as a sort without a comparator does.
  return keys.sort();
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
