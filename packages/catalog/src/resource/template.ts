import { CmcpError } from "@cmcp/boundary";
import { MAX_TEMPLATE, MAX_VARIABLES } from "../limits.ts";

/** One variable of a template; `reserved` for `{+name}`, which takes any character of a URI. */
interface Variable {
  readonly variable: string;
  readonly reserved: boolean;
}
/** A stretch of a template: characters as they stand, or a variable. */
type Part = { readonly literal: string } | Variable;

const EXPRESSION = /\{([^{}]*)\}/g;
const VARIABLE = /^(\+?)([A-Za-z_][A-Za-z0-9_]*)$/;
// RFC 3986 section 2: what may stand in a URI as it is; a percent sign only before two hexadecimal digits.
const URI_TEXT = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;
const UNRESERVED_RUN = /^(?:[A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})+/;
const UNRESERVED_PREFIX = /^(?:[A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})*/;

/**
 * Why the value of a variable cannot be what the operator approved, though its characters fit: a server that
 * decodes before it splits would be led elsewhere by it.
 */
function misleads(raw: string, reserved: boolean): boolean {
  let decoded: string;
  try {
    decoded = decodeURIComponent(raw);
  } catch {
    return true;
  }
  if (/[\p{Cc}\\]/u.test(decoded)) return true;
  // Encoded twice.
  if (/%[0-9A-Fa-f]{2}/.test(decoded)) return true;
  if (!reserved && decoded.includes("/")) return true;
  return decoded.split(/[/?#]/).some((segment) => segment === "." || segment === "..");
}

/**
 * A URI template (RFC 6570) as far as a catalog may use one: `{name}`, and `{+name}` as its last expression. Between
 * two variables stands a character that no `{name}` can hold. So a URI fits in one way or in none, and the gateway
 * and the server agree on what each variable is.
 */
export class UriTemplate {
  /** The template as written. */
  readonly text: string;
  /** Names of its variables, in order. */
  readonly variables: readonly string[];
  readonly #parts: readonly Part[];

  /** @throws CmcpError `CATALOG_INVALID` for a template outside of what is described above */
  constructor(text: string, what: string) {
    const refuse = (why: string): never => {
      throw new CmcpError("CATALOG_INVALID", `${what}: uri_template ${why}`);
    };
    if (text.length > MAX_TEMPLATE) refuse(`is over ${MAX_TEMPLATE} characters`);
    const parts: Part[] = [];
    const literal = (from: number, to: number): void => {
      const piece = text.slice(from, to);
      if (piece !== "" && !URI_TEXT.test(piece)) refuse("has characters no URI may have, or an unmatched brace");
      if (piece !== "") parts.push({ literal: piece });
    };
    let at = 0;
    for (const match of text.matchAll(EXPRESSION)) {
      const [, operator, name] =
        VARIABLE.exec(match[1] ?? "") ?? refuse(`has an expression other than {name} and {+name}`);
      literal(at, match.index);
      parts.push({ variable: name ?? "", reserved: operator === "+" });
      at = match.index + match[0].length;
    }
    literal(at, text.length);
    this.text = text;
    this.variables = parts.flatMap((part) => ("variable" in part ? [part.variable] : []));
    this.#parts = parts;
    if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)) refuse("does not begin with a scheme");
    if (this.variables.length === 0) refuse("has no variable; give it as uri");
    if (this.variables.length > MAX_VARIABLES) refuse(`has more than ${MAX_VARIABLES} variables`);
    if (new Set(this.variables).size < this.variables.length) refuse("names a variable twice");
    for (const [index, part] of parts.entries())
      if ("variable" in part) this.#checkPlace(part, parts.slice(index + 1), refuse);
  }

  /** The values of the variables, decoded, when the URI fits; else `null`. */
  match(uri: string): ReadonlyMap<string, string> | null {
    const values = new Map<string, string>();
    let rest = uri;
    for (const [index, part] of this.#parts.entries()) {
      if ("literal" in part) {
        // What of a literal could have belonged to the variable before it was taken with it.
        const own =
          index === 0 || "literal" in (this.#parts[index - 1] ?? part)
            ? part.literal
            : part.literal.replace(UNRESERVED_PREFIX, "");
        if (!rest.startsWith(own)) return null;
        rest = rest.slice(own.length);
        continue;
      }
      const raw = this.#take(part.reserved, this.#parts[index + 1], rest);
      if (raw === null || misleads(raw.value, part.reserved)) return null;
      values.set(part.variable, decodeURIComponent(raw.value));
      rest = rest.slice(raw.taken);
    }
    return rest === "" ? values : null;
  }

  /** Whether some URI could fit both templates. */
  overlaps(other: UriTemplate): boolean {
    return intersect(this.#atoms(), other.#atoms());
  }

  #take(
    reserved: boolean,
    next: Part | undefined,
    rest: string,
  ): { readonly value: string; readonly taken: number } | null {
    const following = next !== undefined && "literal" in next ? next.literal : "";
    if (reserved) {
      const value = rest.slice(0, rest.length - following.length);
      return value !== "" && URI_TEXT.test(value) && rest.endsWith(following)
        ? { value, taken: value.length + (UNRESERVED_PREFIX.exec(following)?.[0].length ?? 0) }
        : null;
    }
    const run = UNRESERVED_RUN.exec(rest)?.[0] ?? "";
    const suffix = UNRESERVED_PREFIX.exec(following)?.[0] ?? "";
    const value = run.slice(0, run.length - suffix.length);
    return value !== "" && run.endsWith(suffix) ? { value, taken: run.length } : null;
  }

  #checkPlace(part: Variable, after: readonly Part[], refuse: (why: string) => never): void {
    const next = after.findIndex((one) => "variable" in one);
    if (next < 0) return;
    if (part.reserved) refuse(`has {+${part.variable}} before another variable; only the last may take any characters`);
    const between = after
      .slice(0, next)
      .map((one) => ("literal" in one ? one.literal : ""))
      .join("");
    if (between.replace(UNRESERVED_PREFIX, "") === "")
      refuse(`has nothing after {${part.variable}} that would end it, such as a slash`);
  }

  #atoms(): readonly Atom[] {
    return this.#parts.flatMap((part): readonly Atom[] =>
      "literal" in part ? Array.from(part.literal, (character) => ({ character })) : [part.reserved ? ANY : UNRESERVED],
    );
  }
}

/** One character, or one or more of a class. */
type Atom = { readonly character: string } | { readonly oneOrMore: "unreserved" | "any" };
const UNRESERVED: Atom = { oneOrMore: "unreserved" };
const ANY: Atom = { oneOrMore: "any" };

/** Whether two atoms can stand for one character alike. */
function meet(left: Atom, right: Atom): boolean {
  if ("character" in left && "character" in right) return left.character === right.character;
  const [single, wide] = "character" in left ? [left, right] : [right, left];
  return wide === ANY || !("character" in single) || /[A-Za-z0-9\-._~%]/.test(single.character);
}

/** Whether the languages of two atom sequences share a word: a walk over pairs of places, each visited once. */
function intersect(left: readonly Atom[], right: readonly Atom[]): boolean {
  const width = right.length + 1;
  const seen = new Uint8Array((left.length + 1) * width);
  const waiting: number[] = [0];
  const visit = (one: number, two: number): void => {
    const pair = one * width + two;
    if (seen[pair] === 1) return;
    seen[pair] = 1;
    waiting.push(pair);
  };
  for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
    const [one, two] = [Math.floor(pair / width), pair % width];
    const [a, b] = [left[one], right[two]];
    if (a === undefined && b === undefined) return true;
    if (a === undefined || b === undefined || !meet(a, b)) continue;
    visit(one + 1, two + 1);
    // A class may go on where the other side moves.
    if ("oneOrMore" in a) visit(one, two + 1);
    if ("oneOrMore" in b) visit(one + 1, two);
  }
  return false;
}
