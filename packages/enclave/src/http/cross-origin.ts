import { CmcpError } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";

/** The request headers that a page may send: those of MCP's HTTP transport in both eras, and the gateway's own. */
const REQUEST_HEADERS = [
  "authorization",
  "content-type",
  "accept",
  "last-event-id",
  "mcp-session-id",
  "mcp-protocol-version",
  "mcp-method",
  "mcp-name",
  "x-mcp-workflow-id",
  "dpop",
];
/**
 * A parameter that is repeated in a header (MCP 2026-07-28, Streamable HTTP, "Schema Extension"); its name ends in a
 * token (RFC 9110 section 5.6.2).
 */
const PARAMETER_HEADER = /^mcp-param-[!#$%&'*+\-.^_`|~0-9a-z]{1,64}$/;
/** Most parameter headers of one tool. The page chooses the names, so their number is bounded. */
const MAX_PARAMETER_HEADERS = 32;
/** The response headers that a page may read besides those that the Fetch standard allows. */
const EXPOSED_HEADERS = "mcp-session-id, www-authenticate, dpop-nonce, allow";
/** Seconds for which a browser may cache a preflight response. Browsers have limits of their own. */
const MAX_AGE = "7200";

/**
 * Refuses pages of origins that are not listed. Browsers send `Origin` (MCP transports, security warning).
 * @throws CmcpError `ORIGIN_NOT_ALLOWED`
 */
export function checkOrigin(listed: readonly string[], { headers }: HttpRequest): void {
  const origin = headers.get("origin");
  if (origin !== null && !listed.includes(origin))
    throw new CmcpError("ORIGIN_NOT_ALLOWED", "this origin is not in enclave.allowed_origins");
}

/**
 * The response with headers that let a page of a listed origin read it. They name the origin, never `*`, and allow no credentials (Fetch
 * standard, "CORS protocol and credentials"): a page sends its token itself, and cookies are ignored.
 */
export function withCorsHeaders(origin: string, answer: HttpResponse): HttpResponse {
  const shared = {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": EXPOSED_HEADERS,
    vary: "Origin",
  };
  return { ...answer, headers: { ...answer.headers, ...shared } };
}

/** Whether this is a CORS preflight (Fetch standard, "CORS-preflight request"). A preflight carries no token. */
export function isPreflight({ method, headers }: HttpRequest): boolean {
  return (
    method === "OPTIONS" && headers.get("origin") !== null && headers.get("access-control-request-method") !== null
  );
}

/** The response to a preflight. The request that follows is still authenticated and decided. */
export function preflight({ headers }: HttpRequest, methods: readonly string[]): HttpResponse {
  const requestedHeaders = (headers.get("access-control-request-headers") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase());
  const parameters = requestedHeaders.filter((name) => PARAMETER_HEADER.test(name)).slice(0, MAX_PARAMETER_HEADERS);
  return {
    status: 204,
    headers: {
      "access-control-allow-methods": methods.join(", "),
      "access-control-allow-headers": [...REQUEST_HEADERS, ...parameters].join(", "),
      "access-control-max-age": MAX_AGE,
    },
    body: null,
  };
}
