import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { CompiledSchema } from "../schema/compiled.ts";
import { DeclaredFilter } from "../schema/declared.ts";
import { soleJson } from "../result/output-schema.ts";
import { readTextContent, writeTextContent } from "../result/text.ts";
import { declaredPaths } from "./declared-paths.ts";
import { FieldRules } from "./field-rules.ts";
import { GONE, Projection } from "./projection.ts";
import { RepeatedValues } from "./repeated-values.ts";

/** Fields that policy takes out of a result, and those of free text that it lets stay. */
export interface RedactionRules {
  readonly redactFields: readonly string[];
  readonly keepFields: readonly string[];
}

/** A result after redaction. */
export interface Projected {
  readonly result: JsonObject;
  /** Members, texts and content blocks left out. */
  readonly redacted: number;
  /** Content blocks among them. */
  readonly withheld: number;
}

/** Whether a schema declares every field that is to be redacted, so that results can be projected onto the rest of it. */
export function canProject(schema: CompiledSchema | null, redactFields: readonly string[]): boolean {
  const paths = schema === null ? null : declaredPaths(schema);
  return paths !== null && new FieldRules(redactFields).areAllIn(paths);
}

/** Remembers the values of redacted fields wherever a result has them. */
function collect(value: JsonValue | undefined, rules: FieldRules, path: string, into: RepeatedValues): void {
  if (Array.isArray(value)) for (const item of value) collect(item, rules, path, into);
  if (!isJsonObject(value)) return;
  for (const [name, member] of Object.entries(value)) {
    const child = FieldRules.childPath(path, name);
    if (rules.matches(child)) into.add(member);
    collect(member, rules, child, into);
  }
}

function valuesOf({ content, structuredContent }: JsonObject, rules: FieldRules): RepeatedValues {
  const repeated = new RepeatedValues();
  collect(structuredContent, rules, "", repeated);
  for (const block of Array.isArray(content) ? content : []) {
    const read = isJsonObject(block) && typeof block["text"] === "string" ? readTextContent(block["text"]) : null;
    if (read?.kind === "json") collect(read.value, rules, "", repeated);
  }
  return repeated;
}

/**
 * Projects a tool's result: its structured content, or the one JSON text it consists of, onto the schema without the
 * redacted fields. Text is written anew from that, and nothing else of the result stays. Of a failure only that it is
 * one stays.
 *
 * @param received the result as the tool sent it, whose redacted values are looked for in what stays
 * @returns `null` where nothing could be told apart
 */
export function projectResult(
  result: JsonObject,
  schema: CompiledSchema | null,
  { redactFields, keepFields }: RedactionRules,
  received: JsonObject,
): Projected | null {
  const { content, structuredContent, isError } = result;
  if (schema === null || !canProject(schema, redactFields)) return null;
  const blocks = Array.isArray(content) ? content.length : 0;
  if (isError === true) return { result: { content: [], isError }, redacted: blocks, withheld: blocks };
  const subject = structuredContent ?? soleJson(content);
  if (subject === undefined) return null;
  const filtered = DeclaredFilter.apply(schema, subject);
  if (!schema.check(filtered.value).ok) return null;
  const redact = new FieldRules(redactFields);
  const terms = { redact, keep: new FieldRules(keepFields), repeated: valuesOf(received, redact) };
  const projection = new Projection(schema, terms);
  let value: JsonValue | typeof GONE;
  try {
    value = projection.of(filtered.value);
  } catch {
    return null;
  }
  if (value === GONE) return null;
  const withheld = Math.max(0, blocks - 1);
  return {
    result: {
      content: [{ type: "text", text: writeTextContent(value) }],
      ...(structuredContent === undefined ? {} : { structuredContent: value }),
      ...(isError === undefined ? {} : { isError }),
    },
    redacted: projection.removed + filtered.removed.length + withheld,
    withheld,
  };
}
