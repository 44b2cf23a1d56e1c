/** Renders the appraisal policy's schema and presets as the tables of docs/reference/appraisal-policy.md. */
import { PRESETS, appraisalPolicySchema, preset } from "../packages/appraise/src/index.ts";
import { row, type GeneratedSection } from "./generated-section.ts";

/** JSON Schema as zod writes it, as far as the policy uses it. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly items?: Node;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Longest default that is shown; a longer one is described by its length. */
const MAX_SHOWN = 60;

function typeOf({ type = "any", enum: values, const: only, items, minimum, maximum }: Node): string {
  if (only !== undefined) return `\`${JSON.stringify(only)}\``;
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(" ");
  if (items !== undefined) return `list of ${typeOf(items)}`;
  if (type === "integer" && minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER)
    return `integer, ${minimum} to ${maximum}`;
  return type;
}

function defaultOf(value: unknown): string {
  if (value === undefined) return "absent";
  const text = JSON.stringify(value);
  return text.length <= MAX_SHOWN || !Array.isArray(value) ? `\`${text}\`` : `${value.length} values of this version`;
}

/** What stands at a path of the complete strict policy. */
function strictValue(path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, step) => (typeof at === "object" && at !== null ? (at as Record<string, unknown>)[step] : undefined),
    preset("strict"),
  );
}

function rowsOf(node: Node, path: readonly string[]): string {
  return Object.entries(node.properties ?? {})
    .map(([name, member]) => {
      const at = [...path, name];
      return member.properties === undefined
        ? row([`\`${at.join(".")}\``, typeOf(member), defaultOf(strictValue(at)), member.description ?? ""])
        : rowsOf(member, at);
    })
    .join("");
}

/** The table of every key. */
export const appraisalReference: GeneratedSection = {
  file: "docs/reference/appraisal-policy.md",
  name: "appraisal policy",
  render: () => {
    const schema = appraisalPolicySchema.toJSONSchema({ io: "input", unrepresentable: "any" }) as Node;
    return `\n${row(["key", "type", "strict value", "meaning"])}${row(["---", "---", "---", "---"])}${rowsOf(schema, [])}\n`;
  },
};

/** What each preset changes of the strict default. */
export const presetReference: GeneratedSection = {
  file: "docs/reference/appraisal-policy.md",
  name: "presets",
  render: () => {
    const rows = Object.entries(PRESETS).map(([name, { description, ...change }]) =>
      row([`\`${name}\``, description, Object.keys(change).length === 0 ? "nothing" : `\`${JSON.stringify(change)}\``]),
    );
    return `\n${row(["preset", "for", "changes"])}${row(["---", "---", "---"])}${rows.join("")}\n`;
  },
};
