/** Renders the configuration's schema as the tables of docs/reference/configuration.md. */
import { measuredConfigSchema } from "../packages/launch/src/config/measured.ts";
import { UNSUPPORTED_KEYS } from "../packages/launch/src/config/unsupported-keys.ts";
import { configSchema } from "../packages/launch/src/config/schema.ts";
import { row, type GeneratedSection } from "./generated-section.ts";

/** JSON Schema as zod writes it, as far as the configuration uses it. */
interface Node {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: string | number | boolean;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Node;
  readonly additionalProperties?: Node | false;
  readonly anyOf?: readonly Node[];
  readonly properties?: Keys;
}
type Keys = Readonly<Record<string, Node>>;

interface Key {
  /**
   * Steps from the top of the file; {@link EACH} for every member of a list, {@link ANY_NAME} for every name of a map.
   */
  readonly path: readonly string[];
  readonly node: Node;
}

const EACH = "[]";
const ANY_NAME = "*";

/** The schema without its "or null": an absent key and a null one mean the same. Of several maps it has the keys of all. */
function unwrapSchema(node: Node): Node {
  const candidates = node.anyOf?.filter(({ type }) => type !== "null") ?? [];
  const maps = candidates.flatMap(({ properties }) => (properties === undefined ? [] : [properties]));
  const inner = maps.length > 1 ? { type: "object", properties: Object.assign({}, ...maps) as Keys } : candidates[0];
  const type = Array.isArray(node.type) ? node.type.find((name) => name !== "null") : node.type;
  return { ...node, ...(type === undefined ? {} : { type }), ...inner };
}

function keysOf(schema: Node, path: readonly string[] = []): Key[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const node = unwrapSchema(member);
    const at = [...path, name];
    // A mapping that says what it is for has a row of its own above those of its keys.
    const own =
      node.properties === undefined || (node.description !== undefined && path.length > 0) ? [{ path: at, node }] : [];
    return [
      ...own,
      ...keysOf(node, at),
      ...keysOf(unwrapSchema(node.items ?? {}), [...at, EACH]),
      ...keysOf(node.additionalProperties || {}, [...at, ANY_NAME]),
    ];
  });
}

function range({ minimum, exclusiveMinimum, maximum }: Node): string {
  const low = minimum === undefined ? (exclusiveMinimum === undefined ? "" : `over ${exclusiveMinimum}`) : `${minimum}`;
  const high = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? "" : `${maximum}`;
  if (low === "" && high === "") return "";
  return high === "" ? `, ${low} or more` : `, ${low} to ${high}`;
}

function typeText(node: Node): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(" ");
  if (node.items !== undefined)
    return `list of ${typeText(unwrapSchema(node.items))}${node.maxItems === undefined ? "" : `, at most ${node.maxItems}`}`;
  if (node.type === "object") return "map";
  return node.type === undefined ? "any" : `${String(node.type)}${range(node)}`;
}

const MEASURED = measuredConfigSchema.toJSONSchema({ io: "input", unrepresentable: "any" }) as Node;

/** Keys that are measured where the launch document has what follows from them. */
const FOLDED: Readonly<Record<string, readonly string[]>> = {
  "enclave.workflows": ["enclave", "principals", EACH, "workflows"],
};

/** Whether the key's value stands in what the enclave is launched with. */
function isMeasured(key: readonly string[]): boolean {
  const path = FOLDED[key.join(".")] ?? key;
  let at: Node | undefined = MEASURED;
  for (const step of path) {
    const member: Node | false | undefined =
      step === EACH ? at?.items : step === ANY_NAME ? at?.additionalProperties : at?.properties?.[step];
    at = member === undefined || member === false ? undefined : unwrapSchema(member);
  }
  return at !== undefined;
}

function presetText({ default: preset }: Node): string {
  return preset === undefined ? "" : `\`${typeof preset === "string" ? preset : JSON.stringify(preset)}\``;
}

function table(keys: readonly Key[]): string {
  const rows = keys.map(({ path, node }) =>
    row([
      `\`${path.join(".").replaceAll(`.${EACH}`, EACH)}\``,
      typeText(node),
      presetText(node),
      isMeasured(path) ? "yes" : "",
      node.description ?? "",
    ]),
  );
  return `\n${row(["key", "type", "default", "measured", "meaning"])}${row(["---", "---", "---", "---", "---"])}${rows.join("")}`;
}

function render(): string {
  const keys = keysOf(configSchema.toJSONSchema({ io: "input" }) as Node);
  const groups = new Set(["", ...keys.map(({ path }) => (path.length > 1 ? (path[0] ?? "") : ""))]);
  return [...groups]
    .map(
      (group) =>
        `\n### ${group === "" ? "Top level" : `\`${group}\``}\n${table(keys.filter(({ path }) => (path.length > 1 ? path[0] : "") === group))}`,
    )
    .join("");
}

/** The tables of docs/reference/configuration.md. */
export const configReference: GeneratedSection = {
  file: "docs/reference/configuration.md",
  name: "configuration",
  render,
};

function renderRefused(): string {
  const rows = UNSUPPORTED_KEYS.map(({ key, value, why, code }) =>
    row([`\`${value === undefined ? key : `${key}: ${value}`}\``, why, `\`${code}\``]),
  );
  return `\n${row(["key", "why", "code"])}${row(["---", "---", "---"])}${rows.join("")}`;
}

/** The table of refused keys in docs/reference/configuration.md. */
export const unsupportedKeysReference: GeneratedSection = {
  file: "docs/reference/configuration.md",
  name: "refused-keys",
  render: renderRefused,
};
