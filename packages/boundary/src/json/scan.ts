import { CmcpError } from "../error.ts";
import type { ErrorCode } from "../codes.ts";
import type { JsonLimits } from "./limits.ts";
import { isExactNumber } from "./number.ts";

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// RFC 8259 section 7: a quotation mark ends a string, a reverse solidus starts an escape, control characters are escaped.
const QUOTE = 0x22;
const REVERSE_SOLIDUS = 0x5c;
// oxlint-disable-next-line no-control-regex -- they are what ends the run
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\n\r]*/y;
const SHORT_INTEGER = /^-?[0-9]{1,15}$/;
const FEW_NAMES = 8;

/** The names of one object. Most have a few, which are found sooner without hashing them. */
class Names {
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  /** False for a name that is there already. */
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

/** Walks JSON text once, without building values, and throws on anything outside the strict profile. */
export class Scanner {
  readonly #text: string;
  readonly #limits: JsonLimits;
  #at = 0;
  #items = 0;

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
    if (this.#items > this.#limits.maxItems) this.#fail("JSON_TOO_MANY_ITEMS", `more than ${this.#limits.maxItems} values`);
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
      if (!names.add(key)) this.#fail("JSON_DUPLICATE_KEY", "a key stands twice in one object");
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
    let escaped = false;
    // One class repeated cannot backtrack, so a long string costs no stack; escapes are taken one by one.
    let at = this.#plain(start + 1);
    for (let unit = text.charCodeAt(at); unit !== QUOTE; unit = text.charCodeAt(at)) {
      if (unit !== REVERSE_SOLIDUS) {
        this.#at = at;
        this.#fail("JSON_SYNTAX", "a string does not end, or holds a control character");
      }
      escaped = true;
      at = this.#plain(this.#escape(at));
    }
    this.#at = at + 1;
    const value = escaped ? (JSON.parse(text.slice(start, this.#at)) as string) : text.slice(start + 1, at);
    if (!value.isWellFormed()) this.#fail("JSON_SYNTAX", "a string has a lone surrogate");
    return value;
  }

  /** Where the run of characters that stand for themselves ends. */
  #plain(at: number): number {
    PLAIN.lastIndex = at;
    PLAIN.test(this.#text);
    return PLAIN.lastIndex;
  }

  #escape(at: number): number {
    ESCAPE.lastIndex = at;
    if (!ESCAPE.test(this.#text)) {
      this.#at = at;
      this.#fail("JSON_SYNTAX", "an unknown escape");
    }
    return ESCAPE.lastIndex;
  }

  #number(): void {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) this.#fail("JSON_SYNTAX", "expected a value");
    if (!SHORT_INTEGER.test(match[0]) && !isExactNumber(match[0])) this.#fail("JSON_NUMBER_NOT_EXACT", "a number does not survive being read");
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
