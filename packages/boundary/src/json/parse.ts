import { CmcpError, asCmcpError } from "../error.ts";
import { examine, type Untrusted } from "../untrusted.ts";
import { DEFAULT_JSON_LIMITS, type JsonLimits } from "./limits.ts";
import { Scanner } from "./scan.ts";
import type { JsonValue } from "./value.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads untrusted bytes as one JSON document (RFC 8259), bounded, and refuses what two readers could
 * take differently: duplicate keys, `__proto__`, lone surrogates, numbers a double cannot carry exactly.
 *
 * @throws CmcpError `JSON_TOO_LARGE`, `JSON_INVALID_UTF8`, `JSON_SYNTAX`, `JSON_TOO_DEEP`,
 * `JSON_TOO_MANY_ITEMS`, `JSON_DUPLICATE_KEY`, `JSON_KEY_FORBIDDEN`, `JSON_NUMBER_NOT_EXACT`.
 */
export function parseJson(input: Untrusted<Uint8Array>, limits: JsonLimits = DEFAULT_JSON_LIMITS): JsonValue {
  const bytes = examine(input);
  if (bytes.byteLength > limits.maxBytes) {
    throw new CmcpError("JSON_TOO_LARGE", `JSON document is ${bytes.byteLength} bytes, limit ${limits.maxBytes}`);
  }
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (thrown) {
    throw asCmcpError(thrown, "JSON_INVALID_UTF8", "JSON document is not valid UTF-8");
  }
  return parseJsonText(text, limits);
}

/** {@link parseJson} for text already decoded; `maxBytes` then counts UTF-16 units. */
export function parseJsonText(text: string, limits: JsonLimits = DEFAULT_JSON_LIMITS): JsonValue {
  if (text.length > limits.maxBytes) {
    throw new CmcpError("JSON_TOO_LARGE", `JSON document is ${text.length} characters, limit ${limits.maxBytes}`);
  }
  new Scanner(text, limits).scanDocument();
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // The scanner refused everything else. The platform's own message would quote the text.
    throw new CmcpError("JSON_SYNTAX", "a string holds a control character");
  }
}
