const normal = (text: string): string => text.normalize("NFKC").toLowerCase();

const isLetterOrDigit = (character: string): boolean => /[\p{L}\p{N}]/u.test(character);

/** What may stand between a name and its value; looked for in so many characters only. */
const STATES = /^["']?\s{0,8}[:=|,\t]/;
const STATES_LENGTH = 10;

function isStated(words: string, name: string): boolean {
  let at = words.indexOf(name);
  while (at !== -1) {
    const end = at + name.length;
    if (!isLetterOrDigit(words.charAt(at - 1)) && STATES.test(words.slice(end, end + STATES_LENGTH))) return true;
    at = words.indexOf(name, at + 1);
  }
  return false;
}

/**
 * Fields that a policy names. A rule is a property name, or names joined by dots; it matches a property whose path ends with
 * it, at any depth, arrays passed through. Case does not matter.
 */
export class FieldRules {
  readonly #suffixes: readonly string[];
  readonly #names: readonly string[];

  constructor(fields: readonly string[]) {
    this.#suffixes = fields.map((field) => `.${normal(field).trim()}`);
    this.#names = [...new Set(this.#suffixes.map((suffix) => suffix.slice(suffix.lastIndexOf(".") + 1)))].filter(
      (name) => name !== "",
    );
  }

  /** Whether a property is one of them. @param path its dotted path, as made by {@link childPath} */
  matches(path: string): boolean {
    return this.#suffixes.some((suffix) => path.endsWith(suffix));
  }

  /** Whether each rule matches one of the paths. */
  areAllIn(paths: Iterable<string>): boolean {
    const open = new Set(this.#suffixes);
    for (const path of paths) for (const suffix of open) if (path.endsWith(suffix)) open.delete(suffix);
    return open.size === 0;
  }

  /** Whether a text seems to state one of the fields, as in `ssn: …` or `"ssn"=…`, or to have it among the names of a table. */
  areStatedIn(text: string): boolean {
    const words = normal(text);
    return this.#names.some((name) => isStated(words, name));
  }

  /** Path of a property below `parent`; the root's is empty. */
  static childPath(parent: string, name: string): string {
    return `${parent}.${normal(name)}`;
  }
}
