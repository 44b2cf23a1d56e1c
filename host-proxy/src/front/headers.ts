import { CmcpError } from "@cmcp/boundary";

/** Request headers the enclave is shown; the rest stays here. */
export const FORWARDED_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "dpop",
  "content-type",
  "accept",
  "origin",
  "access-control-request-method",
  "access-control-request-headers",
  "mcp-session-id",
  "mcp-protocol-version",
  "mcp-method",
  "mcp-name",
  "last-event-id",
  "x-mcp-workflow-id",
]);

/** Headers that frame this hop (RFC 9110 section 7.6.1): HTTP on this side is the host's own. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

// RFC 9110 section 5.5 without obs-text: a byte above 0x7e has no agreed character.
const FIELD_VALUE = /^[\t\x20-\x7e]*$/;

/**
 * The allow-listed headers of a request by lower-case name.
 *
 * Only `accept` is a list that may be sent in pieces (RFC 9110 section 5.3). Any other name sent twice
 * is refused: whoever joins or picks would decide which of the two is meant.
 *
 * @param rawHeaders names and values in turn, as node:http received them
 * @throws MCP_INVALID_REQUEST for a repeated, oversized or non-ASCII value
 */
export function forwardedHeaders(rawHeaders: readonly string[], valueBytes: number): Record<string, string> {
  const forwarded: Record<string, string> = {};
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? "";
    if (!FORWARDED_HEADERS.has(name)) continue;
    let value = rawHeaders[index + 1] ?? "";
    const earlier = forwarded[name];
    if (earlier !== undefined) {
      if (name !== "accept") throw new CmcpError("MCP_INVALID_REQUEST", `header ${name} was sent more than once`);
      value = `${earlier}, ${value}`;
    }
    if (value.length > valueBytes)
      throw new CmcpError("MCP_INVALID_REQUEST", `header ${name} is longer than ${valueBytes} bytes`);
    if (!FIELD_VALUE.test(value))
      throw new CmcpError("MCP_INVALID_REQUEST", `header ${name} holds bytes outside ASCII`);
    forwarded[name] = value;
  }
  return forwarded;
}

/** The enclave's response headers without those that frame this hop. */
export function responseHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!HOP_BY_HOP.has(name.toLowerCase())) passed[name] = value;
  }
  return passed;
}
