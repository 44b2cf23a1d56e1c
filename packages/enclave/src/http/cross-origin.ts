import { CmcpError } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";

/** What a page may send: the headers of MCP's HTTP transport in both eras, and this gateway's own. */
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
];
/** A parameter that is repeated in a header (MCP 2026-07-28, Streamable HTTP, "Schema Extension"); its name ends in a token (RFC 9110 section 5.6.2). */
const PARAMETER_HEADER = /^mcp-param-[!#$%&'*+\-.^_`|~0-9a-z]{1,64}$/;
/** As many as one tool may mark. The names are the page's choice, and an answer's headers are bounded. */
const MAX_PARAMETER_HEADERS = 32;
/** What a page may read of an answer beyond what the Fetch standard lets it. */
const EXPOSED_HEADERS = "mcp-session-id, www-authenticate, allow";
/** Seconds that a browser may keep the answer to a preflight; each has a bound of its own too. */
const MAX_AGE = "7200";

/** Browsers send `Origin`; a page that is not on the list must not drive an agent's gateway (MCP transports, security warning). @throws CmcpError `ORIGIN_NOT_ALLOWED` */
export function checkOrigin(listed: readonly string[], { headers }: HttpRequest): void {
  const origin = headers.get("origin");
  if (origin !== null && !listed.includes(origin))
    throw new CmcpError("ORIGIN_NOT_ALLOWED", "requests from this origin are not allowed");
}

/**
 * The answer as a page of a listed origin can read it, a refusal and a stream too. It names that origin, never `*`, and allows no
 * credentials (Fetch standard, "CORS protocol and credentials"): a page sends its token itself, and no cookie is looked at.
 */
export function withCorsHeaders(origin: string, answer: HttpResponse): HttpResponse {
  const shared = {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": EXPOSED_HEADERS,
    vary: "Origin",
  };
  return { ...answer, headers: { ...answer.headers, ...shared } };
}

/** Whether a browser asks what a page may send (Fetch standard, "CORS-preflight request"). It asks without the page's token. */
export function isPreflight({ method, headers }: HttpRequest): boolean {
  return (
    method === "OPTIONS" && headers.get("origin") !== null && headers.get("access-control-request-method") !== null
  );
}

/** The answer to a preflight. It allows to ask: whether the request itself is served is decided when that comes, as for any other. */
export function preflight({ headers }: HttpRequest, methods: readonly string[]): HttpResponse {
  const asked = (headers.get("access-control-request-headers") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase());
  const parameters = asked.filter((name) => PARAMETER_HEADER.test(name)).slice(0, MAX_PARAMETER_HEADERS);
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
