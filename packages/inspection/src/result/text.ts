import { CmcpError, isJsonObject, parseJsonText, type JsonObject, type JsonValue } from "@cmcp/boundary";

const LIMITS = { maxBytes: 16 * 1024 * 1024, maxDepth: 64, maxItems: 200_000 };

/** What a text is, as far as field rules can reach into it. */
export type TextContent = { readonly kind: "json"; readonly value: JsonObject | JsonValue[] } | { readonly kind: "ambiguous" } | { readonly kind: "plain" };

/**
 * Reads a text that may be a JSON object or array. One that some parser takes but that readers could take
 * differently (duplicate keys, inexact numbers, too deep) is ambiguous: fields cannot be told in it for sure.
 */
export function readTextContent(text: string): TextContent {
  if (!/^\s*[[{]/.test(text)) return { kind: "plain" };
  try {
    const value = parseJsonText(text, LIMITS);
    return Array.isArray(value) || isJsonObject(value) ? { kind: "json", value } : { kind: "plain" };
  } catch (thrown) {
    return thrown instanceof CmcpError && thrown.code === "JSON_SYNTAX" ? { kind: "plain" } : { kind: "ambiguous" };
  }
}

/** Text of a value changed since it was read. */
export function writeTextContent(value: JsonValue): string {
  return JSON.stringify(value);
}
