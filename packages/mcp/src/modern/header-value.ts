import { CmcpError } from "@cmcp/boundary";

/**
 * Values of `Mcp-Name` and `Mcp-Param-*` (MCP 2026-07-28, Streamable HTTP, "Value Encoding"): plain where
 * ASCII allows it, else base64 of the UTF-8 between two markers.
 */
const PREFIX = "=?base64?";
const SUFFIX = "?=";

function isMarked(value: string): boolean {
  return value.length >= PREFIX.length + SUFFIX.length && value.startsWith(PREFIX) && value.endsWith(SUFFIX);
}

/**
 * A value as it may stand in a header.
 *
 * @throws CmcpError `JSON_NOT_CANONICALIZABLE` for a lone surrogate, which UTF-8 cannot carry.
 */
export function encodeHeaderValue(value: string): string {
  // Blanks at the ends would be cut off on the way (RFC 9110 section 5.5); an empty value has nothing to lose.
  const plain = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/.test(value);
  if (plain && !isMarked(value)) return value;
  if (!value.isWellFormed())
    throw new CmcpError("JSON_NOT_CANONICALIZABLE", "a value with a lone surrogate cannot stand in a header", {
      detail: { sent: 0 },
    });
  return `${PREFIX}${Buffer.from(value, "utf8").toString("base64")}${SUFFIX}`;
}

/** The value a header stands for, or `null` for markers around what is not canonical base64 of UTF-8. */
export function decodeHeaderValue(header: string): string | null {
  if (!isMarked(header)) return header;
  const encoded = header.slice(PREFIX.length, -SUFFIX.length);
  const bytes = Buffer.from(encoded, "base64");
  // Node skips over what is not base64, so only what encodes back the same was base64.
  if (bytes.toString("base64") !== encoded) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
