import { dereference, validate, type Schema, type SchemaDraft } from "@cfworker/json-schema";
import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { NamePatterns } from "./name-patterns.ts";
import { ProfileCopy } from "./profile.ts";
import { beginWork } from "./work.ts";

/** A value a schema accepts, or the schema's keyword it breaks. The reason holds no part of the value. */
export type Checked = { readonly ok: true } | { readonly ok: false; readonly why: string };

const MAX_WHY = 300;

const DRAFTS: Readonly<Record<string, SchemaDraft>> = {
  "http://json-schema.org/draft-04/schema": "4",
  "http://json-schema.org/draft-06/schema": "7",
  "http://json-schema.org/draft-07/schema": "7",
  "https://json-schema.org/draft/2019-09/schema": "2019-09",
  "https://json-schema.org/draft/2020-12/schema": "2020-12",
};

/** MCP takes 2020-12 where a schema names no dialect. */
function dialect(schema: JsonObject, owner: string): SchemaDraft {
  const { $schema } = schema;
  if ($schema === undefined) return "2020-12";
  const named = typeof $schema === "string" ? $schema.replace(/#$/, "") : "";
  const draft = Object.hasOwn(DRAFTS, named) ? DRAFTS[named] : undefined;
  if (draft === undefined)
    throw new CmcpError("CATALOG_INVALID", `${owner}: #/$schema: not a dialect this version reads`);
  return draft;
}

/** Where a keyword stood before the copy put it behind a bound, without names of the value. */
const written = (location: string): string =>
  location
    .replaceAll(/\/patternProperties\/[^/]*/g, "/patternProperties")
    .replace(/\/allOf\/[0-9]+\/format$/, "/pattern")
    .replace(/\/allOf\/[0-9]+\/else\/(minLength|maxLength|format|uniqueItems)$/, "/$1");

/** An approved JSON Schema made ready once, without generating code. */
export class CompiledSchema {
  readonly root: JsonObject | boolean;
  readonly #draft: SchemaDraft;
  readonly #lookup: Record<string, Schema | boolean>;
  readonly #names = new NamePatterns();

  /** @throws CmcpError `CATALOG_INVALID` naming `owner` for a schema that cannot be followed exactly */
  constructor(schema: JsonObject, owner: string) {
    this.#draft = dialect(schema, owner);
    this.root = new ProfileCopy(owner).copy(schema);
    try {
      this.#lookup = dereference(this.root);
    } catch (thrown) {
      throw new CmcpError("CATALOG_INVALID", `${owner}: a reference in the schema is not well-formed`, {
        cause: thrown,
      });
    }
    const subschemas = Object.values(this.#lookup);
    for (const subschema of subschemas) {
      if (typeof subschema === "object" && subschema.$ref !== undefined && this.follow(subschema) === undefined) {
        throw new CmcpError(
          "CATALOG_INVALID",
          `${owner}: reference ${subschema.$ref.slice(0, 100)} leads nowhere in the schema`,
        );
      }
    }
    for (const subschema of subschemas) if (isJsonObject(subschema)) this.#names.add(subschema);
  }

  /** What a subschema's `$ref` stands for. Drafts before 2019-09 ignore everything beside it. */
  follow(subschema: object): JsonObject | boolean | undefined {
    const { __absolute_ref__: target } = subschema as Schema;
    return target === undefined ? undefined : this.#lookup[target];
  }

  /** Whether `$ref` replaces its subschema rather than adding to it. */
  get refReplaces(): boolean {
    return this.#draft === "4" || this.#draft === "7";
  }

  /** Checks a value. Whatever keeps the check from ending, such as a reference to itself or too much work, is a refusal. */
  check(value: JsonValue): Checked {
    beginWork();
    try {
      if (!this.#names.fit(value)) return { ok: false, why: "property names are too long or too many to be matched" };
      const result = validate(value, this.root, this.#draft, this.#lookup, true);
      if (result.valid) return { ok: true };
      // The last finding is the innermost. That of a schema `false` is placed by the value, not the schema.
      const cause = result.errors.findLast((unit) => unit.keyword !== "false");
      return { ok: false, why: `schema ${written(cause?.keywordLocation ?? "#").slice(0, MAX_WHY)}` };
    } catch {
      return { ok: false, why: "the schema could not be applied to this value" };
    }
  }

  /** Whether a subschema takes a part of the value that was checked last. @throws RangeError when the check takes too much work */
  accepts(subschema: JsonObject | boolean, part: JsonValue): boolean {
    return validate(part, subschema, this.#draft, this.#lookup, true).valid;
  }

  /** Schemas of the members of `patternProperties` that a property's name matches. */
  matching(subschema: JsonObject, name: string): JsonValue[] {
    return this.#names.matching(subschema, name);
  }

  /** Whether a subschema is an object with at least one keyword. */
  static constrains(subschema: JsonValue | undefined): subschema is JsonObject {
    return isJsonObject(subschema) && Object.keys(subschema).length > 0;
  }
}
