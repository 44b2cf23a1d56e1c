import { CmcpError, asCmcpError, untrusted } from "@cmcp/boundary";
import {
  challenge,
  metadataPaths,
  readHostAsserted,
  resourceMetadata,
  type HostAsserted,
  type IdentitySettings,
  type PeerIdentity,
} from "@cmcp/identity";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import type { Principals } from "../access/principals.ts";
import type { Freshness } from "../instance/freshness.ts";
import { reportFault } from "../instance/stderr-events.ts";
import { checkOrigin, isPreflight, preflight, withCorsHeaders } from "./cross-origin.ts";
import { errorJson, errorJsonRpc, json } from "./json-response.ts";
import { KILL_SWITCH_PATH } from "./kill-switch.ts";
import { POLICY_KEYS_PATH } from "./policy-keys.ts";
import { type Route, routeOf, routesAt } from "./routes.ts";
import { RESET_PATH } from "./session-reset.ts";

/** Methods of `/mcp` in both eras. The endpoint checks the era. */
const MCP_METHODS = ["POST", "GET", "DELETE"];

/** Answers one HTTP request. */
export type Handler = (request: HttpRequest) => Promise<HttpResponse>;

/** What the handler needs. */
export interface HandlerPorts {
  /** The phase of the enclave. `step` throws if requests are not allowed in it. */
  readonly phases: { readonly phase: string; step(input: "request"): unknown };
  /** Whether witnesses are configured and no quorum answered last. */
  readonly quorumLost: () => boolean;
  readonly allowedOrigins: readonly string[];
  readonly identity: IdentitySettings;
  readonly principals: Pick<Principals, "authenticate">;
  readonly freshness: Pick<Freshness, "requireFresh">;
  readonly mcp: (request: HttpRequest, caller: Caller) => Promise<HttpResponse>;
  /** An operator's reset of a session. A signature authenticates it, not a bearer token. */
  readonly reset: (request: HttpRequest, id: string) => Promise<HttpResponse>;
  /** An operator's change of policy signing keys, and a trip or unblock of the kill switch, authenticated the same way. */
  readonly policyKeys: (request: HttpRequest) => Promise<HttpResponse>;
  readonly killSwitch: (request: HttpRequest, act: string) => Promise<HttpResponse>;
  readonly routes: readonly Route[];
}

/** Creates the handler of all HTTP requests. */
export function createHandler(parts: HandlerPorts): Handler {
  const { allowedOrigins, identity } = parts;
  const handle: Handler = async (request) => {
    const url = new URL(request.url);
    try {
      return await answer(parts, request, url);
    } catch (thrown) {
      const error = asCmcpError(thrown, "INTERNAL", "the gateway could not handle the request");
      if (error.code === "INTERNAL") reportFault(error);
      const headers = challengeFor(identity, error);
      return url.pathname === "/mcp" ? errorJsonRpc(error, headers) : errorJson(error, headers);
    }
  };
  return (request) => {
    const origin = request.headers.get("origin");
    return origin === null || !allowedOrigins.includes(origin)
      ? handle(request)
      : handle(request).then((reply) => withCorsHeaders(origin, reply));
  };
}

async function answer(parts: HandlerPorts, request: HttpRequest, url: URL): Promise<HttpResponse> {
  const { phases, identity } = parts;
  if (url.pathname === "/readyz") {
    const ready = phases.phase === "Serving" && !parts.quorumLost();
    return json({ ready }, ready ? 200 : 503);
  }
  phases.step("request");
  checkOrigin(parts.allowedOrigins, request);
  if (isPreflight(request)) {
    const methods = methodsAt(parts, url.pathname);
    if (methods.length > 0) return preflight(request, methods);
  }
  const resetId = RESET_PATH.exec(url.pathname)?.[1];
  if (resetId !== undefined) return await parts.reset(request, resetId);
  const killSwitchAct = KILL_SWITCH_PATH.exec(url.pathname)?.[1];
  if (killSwitchAct !== undefined) return await parts.killSwitch(request, killSwitchAct);
  if (url.pathname === POLICY_KEYS_PATH) return await parts.policyKeys(request);
  const metadata = protectedResource(identity, request.method, url.pathname);
  if (metadata !== null) return metadata;
  const caller = await parts.principals.authenticate(
    request.headers.get("authorization"),
    readHostAssertedIdentity(identity, request),
  );
  request.buffered?.belongTo(`principal:${caller.principalId}`);
  if (url.pathname !== "/mcp") return await callRoute(parts.routes, { request, url, caller });
  parts.freshness.requireFresh();
  return await parts.mcp(request, caller);
}

/** The methods that a page may use at a path. An operator's statements have none for pages. */
function methodsAt({ routes, identity }: HandlerPorts, path: string): readonly string[] {
  if (path === "/mcp") return MCP_METHODS;
  return protectedResource(identity, "GET", path) === null
    ? routesAt(routes, path).map(({ method }) => method)
    : ["GET"];
}

async function callRoute(
  routes: readonly Route[],
  asked: { readonly request: HttpRequest; readonly url: URL; readonly caller: Caller },
): Promise<HttpResponse> {
  const { route, id } = routeOf(routes, asked.request.method, asked.url.pathname);
  return await route.endpoint({ ...asked, id });
}

/** The challenge of a 401 (RFC 9110 section 15.5.2). It names an error only if a token was sent (RFC 6750 section 3.1). */
function challengeFor(identity: IdentitySettings, error: CmcpError): Record<string, string> {
  if (error.code !== "UNAUTHENTICATED") return {};
  return { "www-authenticate": challenge(error.detail["reason"] === "missing" ? "missing" : "invalid", identity) };
}

/**
 * The SPIFFE ID of the agent's client certificate, as the host asserts it. The host's HTTP front removes this header
 * from requests of agents.
 */
function readHostAssertedIdentity(identity: IdentitySettings, request: HttpRequest): HostAsserted<PeerIdentity> | null {
  const spiffeId = request.headers.get("x-cmcp-host-asserted-spiffe-id");
  return spiffeId === null ? null : readHostAsserted(untrusted(spiffeId), identity.host_asserted);
}

/**
 * The protected resource metadata (RFC 9728 section 3), which says where to get a token; `null` for any other path. It comes from the
 * measured configuration and is public.
 * @throws CmcpError `METHOD_NOT_ALLOWED`
 */
function protectedResource(settings: IdentitySettings, method: string, path: string): HttpResponse | null {
  const metadata = resourceMetadata(settings);
  if (metadata === null || !metadataPaths(metadata.resource).includes(path)) return null;
  if (method !== "GET") throw new CmcpError("METHOD_NOT_ALLOWED", "this path does not support the method");
  return json(metadata);
}
