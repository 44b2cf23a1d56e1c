import { ANY_IN_LINE, classOf, complement, ofEscape, ordered, type Ranges } from "./code-points.ts";

/** Deepest groups of a pattern. */
const MAX_NESTING = 64;
/** Longest translation, in characters: a Unicode property is written out as its code points. */
const MAX_TRANSLATION = 128 * 1024;

const CLASS_ESCAPE = /\\(?:[dDwWsS]|[pP]\{[^}]*\})/y;
const CODE_PAIR = /\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/y;
const CODE = /\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))/y;
const CONTROL = /\\c([A-Za-z])/y;
const SINGLE = /\\([\s\S])/y;
const QUANTIFIER = /(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??/y;
const GROUP = /\((?:\?(?::|<(?![=!])[^>]*>))?/y;
const NAMED: Readonly<Record<string, number>> = { f: 0x0c, n: 0x0a, r: 0x0d, t: 0x09, v: 0x0b, "0": 0 };

/** Writes a pattern of ECMA-262 (u flag) in the syntax of RE2, every character by its code point, so that both mean the same. */
class Translation {
  readonly #text: string;
  #at = 0;
  #written = 0;

  constructor(text: string) {
    this.#text = text;
  }

  translate(): string {
    return this.#choice(0);
  }

  #take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const match = expression.exec(this.#text);
    if (match !== null) this.#at = expression.lastIndex;
    return match;
  }

  #write(text: string): string {
    this.#written += text.length;
    if (this.#written > MAX_TRANSLATION) throw new RangeError("covers too many characters");
    return text;
  }

  #choice(depth: number): string {
    if (depth > MAX_NESTING) throw new RangeError(`has groups nested deeper than ${MAX_NESTING}`);
    const options = [this.#sequence(depth)];
    while (this.#text[this.#at] === "|") {
      this.#at += 1;
      options.push(this.#sequence(depth));
    }
    return `(?:${options.join("|")})`;
  }

  #sequence(depth: number): string {
    let out = "";
    // Past the end there is an empty text, which these include too.
    while (!"|)".includes(this.#text.charAt(this.#at))) {
      const atom = this.#atom(depth);
      // Lazy or not: both match the same texts.
      const quantifier = this.#take(QUANTIFIER)?.[0].replace(/(?<=.)\?$/, "") ?? "";
      out += quantifier === "" ? atom : `(?:${atom})${quantifier}`;
    }
    return out;
  }

  #atom(depth: number): string {
    const character = this.#text.charAt(this.#at);
    if (character === "(") return this.#group(depth);
    if (character === "[") return this.#write(classOf(this.#class()));
    if (character === "\\") {
      const next = this.#text.charAt(this.#at + 1);
      if (/[1-9k]/.test(next)) throw new RangeError("refers back to a group");
      if (next === "b" || next === "B") {
        this.#at += 2;
        return this.#write(`\\${next}`);
      }
      return this.#write(classOf(this.#escape()));
    }
    const point = this.#point();
    if (character === "^") return this.#write("\\A");
    if (character === "$") return this.#write("\\z");
    return this.#write(classOf(character === "." ? ANY_IN_LINE : [[point, point]]));
  }

  #group(depth: number): string {
    const opening = this.#take(GROUP)?.[0] ?? "(";
    if (opening === "(" && this.#text[this.#at] === "?")
      throw new RangeError("looks ahead or behind, or changes flags within");
    const inside = this.#choice(depth + 1);
    this.#at += 1;
    return inside;
  }

  #point(): number {
    const point = this.#text.codePointAt(this.#at) ?? 0;
    this.#at += point > 0xff_ff ? 2 : 1;
    return point;
  }

  #class(): Ranges {
    this.#at += 1;
    const negated = this.#text[this.#at] === "^";
    if (negated) this.#at += 1;
    const ranges: (readonly [number, number])[] = [];
    while (this.#text[this.#at] !== "]") {
      const from = this.#classAtom();
      const [first, ...more] = from;
      // Around a dash the platform takes single characters only.
      if (
        this.#text[this.#at] === "-" &&
        this.#text[this.#at + 1] !== "]" &&
        more.length === 0 &&
        first !== undefined
      ) {
        this.#at += 1;
        const [to] = this.#classAtom();
        ranges.push([first[0], to?.[1] ?? first[1]]);
      } else ranges.push(...from);
    }
    this.#at += 1;
    return negated ? complement(ordered(ranges)) : ordered(ranges);
  }

  #classAtom(): Ranges {
    if (this.#text[this.#at] !== "\\") {
      const point = this.#point();
      return [[point, point]];
    }
    if (this.#text[this.#at + 1] === "b") {
      this.#at += 2;
      return [[0x08, 0x08]];
    }
    return this.#escape();
  }

  #escape(): Ranges {
    const escape = this.#take(CLASS_ESCAPE)?.[0];
    if (escape !== undefined) return ofEscape(escape);
    const point = this.#escapedPoint();
    return [[point, point]];
  }

  #escapedPoint(): number {
    const pair = this.#take(CODE_PAIR);
    if (pair !== null)
      return (
        String.fromCharCode(Number.parseInt(pair[1] ?? "", 16), Number.parseInt(pair[2] ?? "", 16)).codePointAt(0) ?? 0
      );
    const code = this.#take(CODE);
    if (code !== null) return Number.parseInt(code[1] ?? code[2] ?? code[3] ?? "", 16);
    const control = this.#take(CONTROL);
    if (control !== null) return (control[1] ?? "").charCodeAt(0) % 32;
    const single = this.#take(SINGLE)?.[1] ?? "";
    return NAMED[single] ?? single.charCodeAt(0);
  }
}

/**
 * A pattern that the platform accepts with the u flag, in the syntax of RE2.
 * @throws RangeError for what no linear engine takes: references back, lookaround, modifiers
 */
export function translate(pattern: string): string {
  return new Translation(pattern).translate();
}
