/** The endpoint of a workflow, by its name. A segment that could be read as "." or ".." is none. */
const WORKFLOW_ROUTE = "/mcp/:workflow{[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}}";

/**
 * Paths that are turned into an exchange with the enclave, as Hono patterns. Everything else is
 * answered 404 here, so that a path the enclave never knew cannot cost it anything.
 */
export const FORWARDED_ROUTES = [
  "/mcp",
  WORKFLOW_ROUTE,
  "/sealed",
  "/readyz",
  "/v1/status",
  "/attestation",
  "/calls",
  "/audit/export",
  "/launch-document",
  "/sessions/:id{[A-Za-z0-9_-]{1,64}}/close",
  "/sessions/:id{[A-Za-z0-9_-]{1,64}}/trace-claim",
  "/sessions/:id{[A-Za-z0-9_-]{1,64}}/trace-record",
  "/sessions/:id{[A-Za-z0-9_-]{1,64}}/evidence",
  "/sessions/:id{[A-Za-z0-9_-]{1,64}}/reset",
  "/sessions/:id{[A-Za-z0-9_-]{1,64}}/erase-key",
  "/kill-switch/trip",
  "/kill-switch/unblock",
  "/policy/keys",
  "/statements",
  "/manifest",
  "/manifest-revocations",
  "/catalog/exception",
  "/oauth/callback",
  "/oauth/client",
  "/oauth/jwks",
  "/.well-known/oauth-protected-resource",
  // The resource's path, without segments that could be read as "." or "..".
  "/.well-known/oauth-protected-resource/:resource{[A-Za-z0-9_~-][A-Za-z0-9._~-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*}",
] as const;

/** A forwarded path pattern; also what the log says instead of the path. */
export type ForwardedRoute = (typeof FORWARDED_ROUTES)[number];

/** The routes whose errors are JSON-RPC errors. */
export function isMcpRoute(route: string): boolean {
  return route === "/mcp" || route === WORKFLOW_ROUTE;
}

/** Methods that are forwarded; the enclave answers 405 for those a path does not support. */
export const FORWARDED_METHODS: ReadonlySet<string> = new Set(["GET", "POST", "DELETE", "OPTIONS"]);
