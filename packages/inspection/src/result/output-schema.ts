import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { CompiledSchema } from "../schema/compiled.ts";
import { DeclaredFilter } from "../schema/declared.ts";
import { readTextContent, writeTextContent } from "./text.ts";

/** The one JSON object a result without structured content consists of; `undefined` when it is anything else. */
export function soleJson(content: JsonValue | undefined): JsonValue | undefined {
  const [block, ...more] = Array.isArray(content) ? content : [];
  if (more.length > 0 || !isJsonObject(block) || block["type"] !== "text" || typeof block["text"] !== "string")
    return undefined;
  const read = readTextContent(block["text"]);
  return read.kind === "json" ? read.value : undefined;
}

/** A content block with undeclared properties gone from its JSON; `undefined` when fields cannot be told in it for sure. */
function filterBlock(block: JsonValue, schema: CompiledSchema, at: string, removed: string[]): JsonValue | undefined {
  if (!isJsonObject(block) || block["type"] !== "text" || typeof block["text"] !== "string") return block;
  const read = readTextContent(block["text"]);
  // What stands in quotation marks is prose, or JSON that no schema describes.
  if (read.kind === "ambiguous" || (read.kind === "quoted" && readTextContent(read.value).kind !== "plain"))
    return undefined;
  if (read.kind !== "json") return block;
  const filtered = DeclaredFilter.apply(schema, read.value);
  if (filtered.removed.length === 0) return block;
  removed.push(...filtered.removed.map((path) => `${at}.${path}`));
  return { ...block, text: writeTextContent(filtered.value) };
}

/**
 * Holds a result to its approved output schema: undeclared properties leave the structured content and
 * every JSON text, then the structured content must validate.
 *
 * A result with an output schema and no structured content is refused, unless it is an error or a single JSON text.
 * Such a text is held to the schema in its place.
 * @returns the result, or `null` when it violates the schema; what was removed is added to `removed`
 */
export function applyOutputSchema(result: JsonObject, schema: CompiledSchema, removed: string[]): JsonObject | null {
  const { structuredContent, content, isError } = result;
  if (structuredContent === undefined && isError === true) return result;
  const subject = structuredContent === undefined ? soleJson(content) : structuredContent;
  if (subject === undefined) return null;
  const filtered = DeclaredFilter.apply(schema, subject);
  if (!schema.check(filtered.value).ok) return null;
  const out: JsonObject = { ...result };
  if (structuredContent !== undefined) {
    removed.push(...filtered.removed.map((path) => `structuredContent.${path}`));
    out["structuredContent"] = filtered.value;
  }
  if (Array.isArray(content)) {
    out["content"] = content.flatMap((block, index) => {
      const filtered = filterBlock(block, schema, `content[${index}]`, removed);
      if (filtered === undefined) removed.push(`content[${index}]`);
      return filtered === undefined ? [] : [filtered];
    });
  }
  return out;
}
