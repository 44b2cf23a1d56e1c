/** Reads gitleaks' rule file: the part of TOML 1.0 that it uses, whose digest was compared before. */

type Value = string | number | string[];
type Table = Record<string, Value>;

/** A rule of gitleaks with the exceptions that need no file path. */
interface Rule {
  readonly id: string;
  readonly regex: string;
  readonly keywords: readonly string[];
  readonly entropy: number;
  readonly group: number;
  readonly allowed: readonly Allowed[];
}

interface Allowed {
  readonly target: string;
  readonly regexes: readonly string[];
  readonly stopwords: readonly string[];
}

/** Rules that are left out: it finds mostly what is no secret. */
const LEFT_OUT = new Set(["generic-api-key"]);

const STRING = /'''([\s\S]*?)'''|"((?:[^"\\]|\\.)*)"/g;

function strings(source: string): string[] {
  return Array.from(
    source.matchAll(STRING),
    ([, literal, basic]) => literal ?? (JSON.parse(`"${basic ?? ""}"`) as string),
  );
}

function valueOf(source: string): Value {
  if (source.startsWith("[")) return strings(source);
  const [first] = strings(source);
  return first ?? Number(source);
}

interface Section {
  readonly name: string;
  readonly table: Table;
}

/** The tables of the file in order; an array of strings may take several lines. */
function sections(toml: string): Section[] {
  const found: Section[] = [{ name: "", table: {} }];
  const lines = toml.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const line = (lines[at] ?? "").trim();
    const [, name] = /^\[+([\w.]+)\]+$/.exec(line) ?? [];
    const [, key, start = ""] = /^(\w+) = (.*)$/.exec(line) ?? [];
    if (name !== undefined) found.push({ name, table: {} });
    if (key === undefined) continue;
    let source = start;
    while (source.startsWith("[") && !/\]\s*$/.test(source.replaceAll(STRING, ""))) {
      at += 1;
      source += `\n${lines[at] ?? ""}`;
    }
    const last = found.at(-1);
    if (last !== undefined) last.table[key] = valueOf(source);
  }
  return found;
}

const list = (value: Value | undefined): string[] => (Array.isArray(value) ? value : []);
const text = (value: Value | undefined): string => (typeof value === "string" ? value : "");

function allowed(table: Table): Allowed {
  return {
    target: text(table.regexTarget) || "secret",
    regexes: list(table.regexes),
    stopwords: list(table.stopwords),
  };
}

/** The rules that look at a text alone, and what none of them counts as a secret. */
export function secretRules(toml: string): { readonly rules: readonly Rule[]; readonly allowed: Allowed } {
  const rules: (Omit<Rule, "allowed"> & { allowed: Allowed[]; path: boolean })[] = [];
  let global: Allowed = { target: "secret", regexes: [], stopwords: [] };
  for (const { name, table } of sections(toml)) {
    if (name === "allowlist") global = allowed(table);
    if (name === "rules")
      rules.push({
        id: text(table.id),
        regex: text(table.regex),
        keywords: list(table.keywords).map((keyword) => keyword.toLowerCase()),
        entropy: Number(table.entropy ?? 0),
        group: Number(table.secretGroup ?? 0),
        allowed: [],
        path: table.path !== undefined,
      });
    // Exceptions by the path of a file do not concern a message.
    if (name === "rules.allowlists" && table.paths === undefined) rules.at(-1)?.allowed.push(allowed(table));
  }
  return {
    rules: rules
      .filter(({ id, path }) => !path && !LEFT_OUT.has(id))
      .map(({ id, regex, keywords, entropy, group, allowed: own }) => ({
        id,
        regex,
        keywords,
        entropy,
        group,
        allowed: own,
      })),
    allowed: global,
  };
}
