import { CmcpError, isJsonObject, parseJsonText, type JsonObject, type JsonValue } from "@cmcp/boundary";

const LIMITS = { maxBytes: 16 * 1024 * 1024, maxDepth: 64, maxItems: 200_000 };

/** What a text is, as far as field rules can reach into it. */
export type TextContent =
  | { readonly kind: "json"; readonly value: JsonObject | JsonValue[] }
  /** One JSON string, in which there may be JSON again. */
  | { readonly kind: "quoted"; readonly value: string }
  | { readonly kind: "ambiguous" }
  | { readonly kind: "plain" };

/**
 * Reads a text that may be a JSON object, array or string. One that some parser takes but that readers could take
 * differently (duplicate keys, inexact numbers, too deep, not quite RFC 8259) is ambiguous: fields cannot be told in it for sure.
 */
export function readTextContent(text: string): TextContent {
  if (!isFramed(text)) return { kind: "plain" };
  try {
    const value = parseJsonText(text, LIMITS);
    if (typeof value === "string") return { kind: "quoted", value };
    return Array.isArray(value) || isJsonObject(value) ? { kind: "json", value } : { kind: "plain" };
  } catch (thrown) {
    return isSyntaxFault(thrown) && !isTakenByOthers(text) ? { kind: "plain" } : { kind: "ambiguous" };
  }
}

const CLOSING: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["[", "]"],
  ["{", "}"],
]);
/** RFC 8259 section 2. */
const SPACE = " \t\n\r";

/** Whether a text begins and ends as a JSON object, array or string does: most that are none are told by that. */
export function isFramed(text: string): boolean {
  let [from, to] = [0, text.length - 1];
  while (from < to && SPACE.includes(text.charAt(from))) from += 1;
  const closing = CLOSING.get(text.charAt(from));
  if (closing === undefined) return false;
  while (to > from && SPACE.includes(text.charAt(to))) to -= 1;
  return to > from && text.charAt(to) === closing;
}

/** Text of a value changed since it was read. */
export function writeTextContent(value: JsonValue): string {
  return JSON.stringify(value);
}

function isSyntaxFault(thrown: unknown): boolean {
  return thrown instanceof CmcpError && thrown.code === "JSON_SYNTAX";
}

/** Halves of surrogate pairs, which `JSON.parse` takes, and numbers that are none, which Python's `json` takes. */
const LAX = /\\u[dD][89a-fA-F][0-9a-fA-F]{2}|-?\b(?:NaN|Infinity)\b/g;

/** Whether a text is JSON but for {@link LAX}, which is put right within strings as well: only the form counts. */
function isTakenByOthers(text: string): boolean {
  const strict = text.replaceAll(LAX, (found) => (found.startsWith("\\") ? "\\u0020" : "0"));
  if (strict === text) return false;
  try {
    parseJsonText(strict, LIMITS);
    return true;
  } catch (thrown) {
    return !isSyntaxFault(thrown);
  }
}
