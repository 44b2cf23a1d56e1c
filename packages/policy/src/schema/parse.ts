import { schemaToJsonWithResolvedTypes, schemaToText, type SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";
import { CmcpError, isJsonObject, parseJsonText } from "@cmcp/boundary";
import { engineText } from "../compile/engine-errors.ts";

// The end of a string is optional: a text without it is refused by the parser, and searched once.
const STRING_OR_COMMENT = /"(?:[^"\\]|\\[^])*"?|\/\/[^\n]*/g;
const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 32, maxItems: 100_000 };

/** A schema the engine parsed, or why it did not. */
export type ParsedSchema =
  | { readonly ok: true; readonly schema: SchemaJson<string> }
  | { readonly ok: false; readonly why: string };

/** Cedar's own schema syntax of JSON text that may carry `//` comments. */
function fromJson(text: string): ParsedSchema | string {
  const value = parseJsonText(text, LIMITS);
  if (!isJsonObject(value)) return { ok: false, why: "it is not a JSON object" };
  // The engine checks the shape itself and answers with its own error.
  const converted = schemaToText(value as unknown as SchemaJson<string>);
  return converted.type === "success" ? converted.text : { ok: false, why: engineText(converted.errors) };
}

/** Parses `schema.cedarschema` in either syntax: Cedar JSON, `//` comments allowed, or Cedar schema text. */
export function parseSchema(text: string): ParsedSchema {
  const bare = text.replaceAll(STRING_OR_COMMENT, (token) => (token.startsWith("//") ? "" : token)).trim();
  try {
    const source = bare.startsWith("{") ? fromJson(bare) : text;
    if (typeof source !== "string") return source;
    const resolved = schemaToJsonWithResolvedTypes(source);
    return resolved.type === "success"
      ? { ok: true, schema: resolved.json }
      : { ok: false, why: engineText(resolved.errors) };
  } catch (thrown) {
    if (thrown instanceof CmcpError) return { ok: false, why: thrown.message };
    throw thrown;
  }
}
