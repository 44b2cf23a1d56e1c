/** A pattern as far as matching time depends on it. */
export type PatternNode =
  | { readonly kind: "nothing" }
  /** One character of a set, given by sample characters. */
  | { readonly kind: "characters"; readonly set: ReadonlySet<number> }
  | { readonly kind: "sequence"; readonly items: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly options: readonly PatternNode[] }
  | { readonly kind: "repeat"; readonly item: PatternNode; readonly min: number; readonly max: number };

/** Characters that stand for all: every Latin one, and some of each script and kind beyond. */
const SAMPLES: readonly number[] = [
  ...Array.from({ length: 0x180 }, (_, code) => code),
  0x3b1,
  0x410,
  0x5d0,
  0x661,
  0x905,
  0xe01,
  0x2028,
  0x2014,
  0x3042,
  0x4e00,
  0xac00,
  0xe000,
  0xfeff,
  0x1f600,
  0x20000,
];
const MAX_NESTING = 64;
const ESCAPE =
  /\\(?:[pP]\{[^}]*\}|u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|k<[^>]*>|[1-9][0-9]*|.)/suy;
const CLASS = /\[(?:\\.|[^\]\\])*\]/suy;
const QUANTIFIER = /(?:[*+?]|\{([0-9]+)(,([0-9]*))?\})\??/uy;
const GROUP = /\((?:\?(?::|[=!]|<[=!]|<[^>]*>))?/uy;

function charactersOf(source: string): PatternNode {
  const one = new RegExp(`^(?:${source})$`, "u");
  return { kind: "characters", set: new Set(SAMPLES.filter((code) => one.test(String.fromCodePoint(code)))) };
}

/** Reads regular expressions that the platform has already accepted with the u flag. */
class PatternReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): PatternNode {
    return this.#choice(0);
  }

  #take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const match = expression.exec(this.#text);
    if (match !== null) this.#at = expression.lastIndex;
    return match;
  }

  #choice(depth: number): PatternNode {
    if (depth > MAX_NESTING) throw new RangeError("nested too deeply");
    const options: PatternNode[] = [];
    do options.push(this.#sequence(depth));
    while (this.#take(/\|/y) !== null);
    return { kind: "choice", options };
  }

  #sequence(depth: number): PatternNode {
    const items: PatternNode[] = [];
    while (this.#at < this.#text.length && !"|)".includes(this.#text[this.#at] ?? ""))
      items.push(this.#quantified(this.#atom(depth)));
    return { kind: "sequence", items };
  }

  #quantified(item: PatternNode): PatternNode {
    const match = this.#take(QUANTIFIER);
    if (match === null) return item;
    const [text, low, comma, high] = match;
    if (low !== undefined) {
      const max = comma === undefined ? Number(low) : high === "" || high === undefined ? Infinity : Number(high);
      return { kind: "repeat", item, min: Number(low), max };
    }
    return { kind: "repeat", item, min: text.startsWith("+") ? 1 : 0, max: text.startsWith("?") ? 1 : Infinity };
  }

  #atom(depth: number): PatternNode {
    const group = this.#take(GROUP);
    if (group !== null) {
      const inside = this.#choice(depth + 1);
      this.#at += 1;
      // A lookaround reads nothing itself; what it holds is judged by itself.
      return /[=!]$/.test(group[0]) ? { kind: "choice", options: [{ kind: "nothing" }, inside] } : inside;
    }
    const escape = this.#take(ESCAPE)?.[0];
    if (escape !== undefined) {
      if (/^\\(?:[1-9]|k<)/.test(escape)) throw new RangeError("refers back to a group");
      return /^\\[bB]$/.test(escape) ? { kind: "nothing" } : charactersOf(escape);
    }
    const set = this.#take(CLASS)?.[0] ?? this.#take(/./suy)?.[0] ?? "";
    return set === "^" || set === "$" ? { kind: "nothing" } : charactersOf(set);
  }
}

/** Structure of a valid regular expression. @throws RangeError for back-references and deep nesting */
export function readPattern(pattern: string): PatternNode {
  return new PatternReader(pattern).read();
}
