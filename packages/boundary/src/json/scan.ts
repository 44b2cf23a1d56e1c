import { CmcpError } from "../error.ts";
import type { ErrorCode } from "../codes.ts";
import type { JsonLimits } from "./limits.ts";
import { isExactNumber } from "./number.ts";

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// RFC 8259 section 7: a quotation mark ends a string, a reverse solidus starts an escape.
const QUOTE = 0x22;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\n\r]*/y;
const SHORT_INTEGER = /^-?[0-9]{1,15}$/;
const FEW_NAMES = 8;

/** The member names of one object. Most objects have few, and searching an array is faster than hashing them. */
class Names {
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  /** @returns false for a duplicate name */
  add(name: string): boolean {
    if (this.#many === undefined) {
      if (this.#few.includes(name)) return false;
      if (this.#few.push(name) > FEW_NAMES) this.#many = new Set(this.#few);
      return true;
    }
    const before = this.#many.size;
    return this.#many.add(name).size > before;
  }
}

/**
 * Walks JSON text once, without building values, and throws on anything outside the strict profile. Control characters
 * inside strings are left to `JSON.parse`, which refuses them faster.
 */
export class Scanner {
  readonly #text: string;
  readonly #limits: JsonLimits;
  #at = 0;
  #items = 0;
  /** Position of the next backslash that was found. */
  #nextEscape = -1;

  constructor(text: string, limits: JsonLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  scanDocument(): void {
    this.#space();
    this.#value(0);
    this.#space();
    if (this.#at !== this.#text.length) this.#fail("JSON_SYNTAX", "text after the document");
  }

  #fail(code: ErrorCode, why: string): never {
    throw new CmcpError(code, `${why} at character ${this.#at}`, { detail: { offset: this.#at } });
  }

  #count(): void {
    this.#items += 1;
    if (this.#items > this.#limits.maxItems)
      this.#fail("JSON_TOO_MANY_ITEMS", `more than ${this.#limits.maxItems} values`);
  }

  #space(): void {
    const next = this.#text.charCodeAt(this.#at);
    if (next > 0x20 || Number.isNaN(next)) return;
    SPACE.lastIndex = this.#at;
    SPACE.exec(this.#text);
    this.#at = SPACE.lastIndex;
  }

  #value(depth: number): void {
    this.#count();
    const first = this.#text[this.#at];
    if (first === "{" || first === "[") {
      if (depth >= this.#limits.maxDepth) this.#fail("JSON_TOO_DEEP", `nested deeper than ${this.#limits.maxDepth}`);
      this.#at += 1;
      if (first === "{") this.#object(depth + 1);
      else this.#array(depth + 1);
    } else if (first === '"') {
      this.#string();
    } else if (!this.#word("true") && !this.#word("false") && !this.#word("null")) {
      this.#number();
    }
  }

  #object(depth: number): void {
    const names = new Names();
    this.#space();
    if (this.#take("}")) return;
    do {
      this.#space();
      this.#count();
      const key = this.#string();
      if (key === "__proto__") this.#fail("JSON_KEY_FORBIDDEN", "key __proto__");
      if (!names.add(key)) this.#fail("JSON_DUPLICATE_KEY", "duplicate key in one object");
      this.#space();
      if (!this.#take(":")) this.#fail("JSON_SYNTAX", "expected ':'");
      this.#space();
      this.#value(depth);
      this.#space();
    } while (this.#take(","));
    if (!this.#take("}")) this.#fail("JSON_SYNTAX", "expected '}'");
  }

  #array(depth: number): void {
    this.#space();
    if (this.#take("]")) return;
    do {
      this.#space();
      this.#value(depth);
      this.#space();
    } while (this.#take(","));
    if (!this.#take("]")) this.#fail("JSON_SYNTAX", "expected ']'");
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at;
    if (text.charCodeAt(start) !== QUOTE) this.#fail("JSON_SYNTAX", "expected a string");
    let end = this.#quote(start + 1);
    const escaped = this.#escapeBefore(start + 1, end);
    for (let at = start + 1; this.#escapeBefore(at, end); ) {
      at = this.#escape(this.#nextEscape);
      // Search again only if this quotation mark was escaped, so that the time stays linear in the number of escapes.
      if (end < at) end = this.#quote(at);
    }
    this.#at = end + 1;
    const value = escaped ? this.#unescaped(start) : text.slice(start + 1, end);
    if (!value.isWellFormed()) this.#fail("JSON_SYNTAX", "a string has a lone surrogate");
    return value;
  }

  /** Position of the next quotation mark. */
  #quote(at: number): number {
    const end = this.#text.indexOf('"', at);
    if (end === -1) this.#fail("JSON_SYNTAX", "a string does not end");
    return end;
  }

  /** Whether there is a backslash between `at` and `end`. Each is searched for once. */
  #escapeBefore(at: number, end: number): boolean {
    if (this.#nextEscape < at) {
      const found = this.#text.indexOf("\\", at);
      this.#nextEscape = found === -1 ? Number.POSITIVE_INFINITY : found;
    }
    return this.#nextEscape < end;
  }

  #escape(at: number): number {
    ESCAPE.lastIndex = at;
    if (!ESCAPE.test(this.#text)) {
      this.#at = at;
      this.#fail("JSON_SYNTAX", "an unknown escape");
    }
    return ESCAPE.lastIndex;
  }

  /** The value of the string from `start` to the current position. */
  #unescaped(start: number): string {
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string;
    } catch {
      this.#fail("JSON_SYNTAX", "a string holds a control character");
    }
  }

  #number(): void {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) this.#fail("JSON_SYNTAX", "expected a value");
    if (!SHORT_INTEGER.test(match[0]) && !isExactNumber(match[0]))
      this.#fail("JSON_NUMBER_NOT_EXACT", "a number cannot be represented exactly as a double");
    this.#at = NUMBER.lastIndex;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }
}
