import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { MAX_TARGET_LENGTH } from "./limits.ts";
import { plainText } from "./plain-text.ts";
import { withoutIgnored } from "./url.ts";

/** How a text is read. A `reference` is a URL that may be relative. */
export type TargetKind = "path" | "url" | "reference";

const FORMATS: ReadonlyMap<JsonValue | undefined, TargetKind> = new Map<JsonValue | undefined, TargetKind>([
  ["uri", "url"],
  ["iri", "url"],
  ["url", "url"],
  ["uri-reference", "reference"],
  ["iri-reference", "reference"],
]);
const COMBINATIONS = ["allOf", "anyOf", "oneOf"] as const;
const CONDITIONS = ["if", "then", "else"] as const;
/** Schemas that are followed from one place of an input schema. */
const MAX_FOLLOWED = 256;

/** The schema that a reference inside the document (`#/$defs/x`) stands for. */
function pointed(root: JsonObject, reference: JsonValue | undefined): JsonObject | undefined {
  if (typeof reference !== "string" || !reference.startsWith("#")) return undefined;
  let at: JsonValue | undefined = root;
  for (const step of reference.split("/").slice(1)) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    at = isJsonObject(at) && Object.hasOwn(at, name) ? at[name] : Array.isArray(at) ? at[Number(name)] : undefined;
  }
  return isJsonObject(at) ? at : undefined;
}

/** Everything that an input schema says at one place. All alternatives count: one that names a format is enough. */
export class SchemaPlace {
  readonly #root: JsonObject;
  readonly #schemas: readonly JsonObject[];

  readonly #fixed: TargetKind | null;

  private constructor(root: JsonObject, schemas: readonly (JsonValue | undefined)[], fixed: TargetKind | null = null) {
    this.#root = root;
    this.#fixed = fixed;
    const found = new Set<JsonObject>();
    const pending = [...schemas];
    while (pending.length > 0 && found.size < MAX_FOLLOWED) {
      const schema = pending.pop();
      if (!isJsonObject(schema) || found.has(schema)) continue;
      found.add(schema);
      pending.push(pointed(root, schema["$ref"]));
      for (const keyword of COMBINATIONS) if (Array.isArray(schema[keyword])) pending.push(...schema[keyword]);
      for (const keyword of CONDITIONS) pending.push(schema[keyword]);
    }
    this.#schemas = [...found];
  }

  /** The start of an input schema. */
  static of(root: JsonObject): SchemaPlace {
    return new SchemaPlace(root, [root]);
  }

  /** A place where all texts, nested ones too, are of one kind. */
  static fixed(kind: TargetKind): SchemaPlace {
    return new SchemaPlace({}, [], kind);
  }

  /** The place of a member of an object. */
  member(name: string): SchemaPlace {
    return this.#below(({ properties, additionalProperties, patternProperties }) => [
      isJsonObject(properties) && Object.hasOwn(properties, name) ? properties[name] : additionalProperties,
      ...(isJsonObject(patternProperties) ? Object.values(patternProperties) : []),
    ]);
  }

  /** The place of the items of an array, whichever their position. */
  items(): SchemaPlace {
    return this.#below(({ items, prefixItems, additionalItems }) => [
      ...(Array.isArray(items) ? items : [items]),
      ...(Array.isArray(prefixItems) ? prefixItems : []),
      additionalItems,
    ]);
  }

  /** How the schema's `format` says that a text here is read; `null` if none does. */
  get kind(): TargetKind | null {
    return (
      this.#fixed ?? this.#schemas.map(({ format }) => FORMATS.get(format)).find((kind) => kind !== undefined) ?? null
    );
  }

  #below(of: (schema: JsonObject) => readonly (JsonValue | undefined)[]): SchemaPlace {
    return new SchemaPlace(this.#root, this.#schemas.flatMap(of), this.#fixed);
  }
}

const URL_LIKE = /^(?:[A-Za-z][A-Za-z0-9+.-]*:[/\\]{2}|(?:https?|wss?|ftp|file|jar|url|blob|view-source):[^\s])/i;
const PATH_LIKE =
  /^(?:[/\\]|\.{1,2}(?:[/\\]|$)|~[\w.-]*(?:[/\\]|$)|\$\{?\w+\}?[/\\]|%\w+%[/\\]|[A-Za-z]:[/\\])|(?:^|[/\\])\.\.(?:[/\\;]|$)/;

function apparentKind(text: string): TargetKind | null {
  const cleaned = withoutIgnored(text);
  if (URL_LIKE.test(cleaned)) return "url";
  return PATH_LIKE.test(cleaned) ? "path" : null;
}

/** What a text looks like, as it stands or without its encodings; `null` for neither path nor URL. */
export function apparent(raw: string): { readonly kind: TargetKind; readonly text: string } | null {
  const kind = apparentKind(raw);
  if (kind !== null) return { kind, text: raw };
  const { text } = plainText(raw.slice(0, MAX_TARGET_LENGTH).toWellFormed());
  const inside = apparentKind(text);
  // A text that is too long to be read stays as it is, and is refused as such.
  return inside === null ? null : { kind: inside, text: raw.length > MAX_TARGET_LENGTH ? raw : text };
}
