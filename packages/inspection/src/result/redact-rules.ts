const normal = (text: string): string => text.normalize("NFKC").toLowerCase();

/** A text as part of a regular expression with the u flag. */
const literal = (text: string): string =>
  text.replaceAll(/[^\p{L}\p{N}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);

/**
 * The fields a policy wants out of a result. A rule is a property name, or names joined by dots; it matches
 * a property whose path ends with it, at any depth, arrays passed through. Case does not matter and `[…]`
 * in a rule is ignored, so that a rule written in another notation takes out more rather than nothing.
 */
export class RedactRules {
  readonly #suffixes: readonly string[];
  readonly #mention: RegExp | null;

  constructor(fields: readonly string[]) {
    const rules = fields
      .map((field) =>
        normal(field)
          .replaceAll(/\[[^\]]*\]/g, "")
          .replace(/^\$\.?/, "")
          .trim(),
      )
      .filter((rule) => rule !== "");
    this.#suffixes = rules.map((rule) => `.${rule}`);
    const names = [...new Set(rules.map((rule) => rule.slice(rule.lastIndexOf(".") + 1)))].filter(
      (name) => name !== "",
    );
    this.#mention =
      names.length === 0
        ? null
        : new RegExp(`(?<![\\p{L}\\p{N}])(?:${names.map((name) => literal(name)).join("|")})["']?\\s{0,8}[:=]`, "u");
  }

  /** Whether nothing is to be taken out. */
  get empty(): boolean {
    return this.#suffixes.length === 0;
  }

  /** Whether a property is one to take out. @param path its dotted path, as made by {@link childPath} */
  matches(path: string): boolean {
    return this.#suffixes.some((suffix) => path.endsWith(suffix));
  }

  /** Whether a free text seems to state one of the fields, as in `ssn: …` or `"ssn"=…`. */
  isMentionedIn(text: string): boolean {
    return this.#mention?.test(normal(text)) ?? false;
  }

  /** Path of a property below `parent`; the root's is empty. */
  static childPath(parent: string, name: string): string {
    return `${parent}.${normal(name)}`;
  }
}
