import { CmcpError } from "../error.ts";
import type { JsonValue } from "./value.ts";

const MAX_DEPTH = 128;

function refuse(why: string): never {
  throw new CmcpError("JSON_NOT_CANONICALIZABLE", `not canonical JSON: ${why}`);
}

/** What keeps a text from being written as it stands, between quotation marks; most names and short values have none of it. */
const UNUSUAL = /[^ !#-[\]-~]/;
/** Longest text that is looked through for it. */
const SHORT = 80;

/** RFC 8785 section 3.2.2.2. A string without a lone surrogate is written as ECMA-262 has it. */
function quoted(text: string, what: string): string {
  if (text.length <= SHORT && !UNUSUAL.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) refuse(`${what} has a lone surrogate`);
  return JSON.stringify(text);
}

/** How many names are kept, none longer than {@link SHORT}. */
const MAX_KEPT_NAMES = 1024;
/** Names written before, each as it is written: a call's records have the same few dozen. */
const keptNames = new Map<string, string>();

function writtenName(name: string): string {
  const kept = keptNames.get(name);
  if (kept !== undefined) return kept;
  const text = `${quoted(name, "a key")}:`;
  // Agents and servers choose names too, so there are no more than so many.
  if (name.length <= SHORT && keptNames.size < MAX_KEPT_NAMES) keptNames.set(name, text);
  return text;
}

/** A record that is written once and put in more than one place: by itself, with another member, or inside another value. */
export class CanonicalObject {
  /** The members' names in their order, and with each what is written of it. */
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

  /** The record with one member more. @throws CmcpError `JSON_NOT_CANONICALIZABLE` for a value JCS cannot carry, or a name it has */
  with(name: string, value: JsonValue): CanonicalObject {
    const found = this.#names.findIndex((other) => other >= name);
    const at = found === -1 ? this.#names.length : found;
    if (this.#names[at] === name) refuse("a member is there twice");
    return new CanonicalObject(
      inserted(this.#names, at, name),
      inserted(this.#members, at, writtenName(name) + written(value, 1)),
    );
  }

  /** RFC 8785 text. */
  get text(): string {
    return `{${this.#members.join(",")}}`;
  }
}

/** `toSpliced` and spread ask for every item by itself. */
function inserted(list: readonly string[], at: number, item: string): string[] {
  const longer = list.slice();
  longer.splice(at, 0, item);
  return longer;
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
  if (value instanceof CanonicalObject) return value.text;
  return Array.isArray(value) ? writtenArray(value, depth) : writtenObject(value, depth);
}

function writtenArray(array: readonly unknown[], depth: number): string {
  if (Object.getPrototypeOf(array) !== Array.prototype) refuse("an array is not a plain array");
  if (Object.keys(array).length !== array.length) refuse("an array is sparse or has named members");
  return `[${array.map((item) => written(item, depth + 1)).join(",")}]`;
}

function writtenObject(object: object, depth: number): string {
  let text = "{";
  for (const key of sortedKeys(object)) text += (text === "{" ? "" : ",") + member(object, key, depth);
  return `${text}}`;
}

function member(object: object, key: string, depth: number): string {
  return writtenName(key) + written((object as Readonly<Record<string, unknown>>)[key], depth + 1);
}

function sortedKeys(object: object): string[] {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) refuse("an object is not a plain record");
  const keys = Object.keys(object);
  // They would be left out. Asked in two questions, because `Reflect.ownKeys` takes ten times as long.
  if (Object.getOwnPropertyNames(object).length !== keys.length || Object.getOwnPropertySymbols(object).length > 0)
    refuse("an object has symbol keys or hidden members");
  return sorted(keys);
}

/** Names that are few are put in order where they are: the sort of ECMA-262 copies them twice. */
const FEW_NAMES = 32;

/** Sorts names by their UTF-16 code units (RFC 8785 section 3.2.3), which is the order of `<` and of a sort without a comparator. */
function sorted(names: string[]): string[] {
  if (names.length > FEW_NAMES) return names.sort();
  for (let next = 1; next < names.length; next += 1) {
    const name = names[next] ?? "";
    let at = next;
    for (let before = names[at - 1]; before !== undefined && before > name; before = names[at - 1]) {
      names[at] = before;
      at -= 1;
    }
    names[at] = name;
  }
  return names;
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
