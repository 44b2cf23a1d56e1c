import type { IncomingMessage } from "node:http";
import { CmcpError } from "@cmcp/boundary";
import type { Opening } from "@cmcp/wire";
import { forwardedHeaders } from "./headers.ts";
import type { FrontLimits } from "./limits.ts";
import { assertedIdentity } from "./peer-identity.ts";
import { FORWARDED_METHODS } from "./routes.ts";

// RFC 9112 section 3.2.1 origin-form in visible ASCII; the path part is what the router compared.
const REQUEST_TARGET = /^\/[\x21-\x7e]*$/;

/**
 * The opening of a request whose path the router accepted.
 * @param path the path that was routed; the target must begin with exactly these characters, so that what
 *   is forwarded is what was matched, with nothing normalised in between
 * @param identityHeader see {@link assertedIdentity}
 * @throws METHOD_NOT_ALLOWED, MCP_PAYLOAD_TOO_LARGE (declared length), MCP_INVALID_REQUEST
 */
export function requestOpening(
  incoming: IncomingMessage,
  path: string,
  limits: FrontLimits,
  identityHeader?: string,
): Extract<Opening, { t: "request" }> {
  const { method = "", url = "", rawHeaders } = incoming;
  if (!FORWARDED_METHODS.has(method)) throw new CmcpError("METHOD_NOT_ALLOWED", "the method is not supported");
  if (url.length > limits.targetBytes)
    throw new CmcpError("MCP_INVALID_REQUEST", `path and query exceed ${limits.targetBytes} bytes`);
  if (!REQUEST_TARGET.test(url) || url.split("?", 1)[0] !== path)
    throw new CmcpError("MCP_INVALID_REQUEST", "the request target is not a plain path and query");
  if (Number(incoming.headers["content-length"] ?? 0) > limits.bodyBytes) throw payloadTooLarge(limits.bodyBytes);
  return {
    t: "request",
    method,
    path: url,
    headers: {
      ...forwardedHeaders(rawHeaders, limits.headerValueBytes),
      ...assertedIdentity(rawHeaders, identityHeader),
    },
  };
}

/** The refusal of a body over `limit` bytes. */
export function payloadTooLarge(limit: number): CmcpError {
  return new CmcpError("MCP_PAYLOAD_TOO_LARGE", `the request body exceeds ${limit} bytes`);
}
