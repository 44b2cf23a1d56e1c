import { CmcpError, asCmcpError, untrusted } from "@cmcp/boundary";
import { challenge, readHostAsserted, type HostAsserted, type PeerIdentity } from "@cmcp/identity";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { PhaseMachine } from "../boot/phases.ts";
import type { Caller } from "../access/caller.ts";
import { reportFault } from "../instance/report-fault.ts";
import { REQUEST_ORIGIN } from "./exchange.ts";
import { attestation } from "./attestation.ts";
import { auditExport } from "./audit-export.ts";
import { checkOrigin, isPreflight, preflight, readableBy } from "./cross-origin.ts";
import { errorJson, errorJsonRpc, json } from "./json-response.ts";
import { createMcp } from "./mcp.ts";
import { protectedResource } from "./protected-resource.ts";
import { closeById, traceClaim, traceRecord } from "./session-endpoints.ts";
import { launchDocument, sessionEvidence } from "./session-evidence.ts";
import { RESET_PATH, resetSession } from "./session-reset.ts";
import { status } from "./status.ts";

/** Methods of `/mcp`, of both eras together: whether one is of the era that a request speaks, the endpoint says. */
const MCP_METHODS = ["POST", "GET", "DELETE"];

/** What nearly every request names, read once. */
const MCP_URL = new URL(`${REQUEST_ORIGIN}/mcp`);

type Endpoint = (context: {
  request: HttpRequest;
  url: URL;
  caller: Caller;
  id: string;
}) => Promise<HttpResponse> | HttpResponse;

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly endpoint: Endpoint;
}

/** Answers one HTTP request. It is a plain function, so it runs the same behind frames, in a VM and in a test. */
export type Handler = (request: HttpRequest) => Promise<HttpResponse>;

/** Builds the handler of an accepted launch. */
export function createHandler(core: Core, phases: PhaseMachine): Handler {
  const mcp = createMcp(core);
  const notSupported =
    (what: string): Endpoint =>
    () => {
      throw new CmcpError("NOT_SUPPORTED", `${what} is not implemented in this version`);
    };
  const routes: readonly Route[] = [
    { method: "GET", path: /^\/v1\/status$/, endpoint: () => status(core, phases) },
    { method: "GET", path: /^\/attestation$/, endpoint: ({ url, caller }) => attestation(core, url, caller) },
    { method: "GET", path: /^\/launch-document$/, endpoint: ({ caller }) => launchDocument(core, caller) },
    { method: "GET", path: /^\/audit\/export$/, endpoint: ({ url, caller }) => auditExport(core, url, caller) },
    {
      method: "POST",
      path: /^\/sessions\/([^/]{1,256})\/close$/,
      endpoint: ({ id, caller }) => closeById(core, caller, id),
    },
    {
      method: "GET",
      path: /^\/sessions\/([^/]{1,256})\/trace-claim$/,
      endpoint: ({ id, caller }) => traceClaim(core, caller, id),
    },
    {
      method: "GET",
      path: /^\/sessions\/([^/]{1,256})\/evidence$/,
      endpoint: ({ id, caller }) => sessionEvidence(core, caller, id),
    },
    {
      method: "GET",
      path: /^\/sessions\/([^/]{1,256})\/trace-record$/,
      endpoint: ({ id, caller }) => traceRecord(core, caller, id),
    },
    { method: "POST", path: /^\/catalog\/exception$/, endpoint: notSupported("a signed catalog exception") },
  ];

  const { allowed_origins: listed } = core.config.enclave;
  const routesAt = (path: string): readonly Route[] => routes.filter((route) => route.path.test(path));
  /** What a page may ask for at a path of agents; nothing at any other, an operator's reset included. */
  const methodsAt = (path: string): readonly string[] => {
    if (path === "/mcp") return MCP_METHODS;
    return protectedResource(core.callerIdentity, "GET", path) === null
      ? routesAt(path).map(({ method }) => method)
      : ["GET"];
  };

  const handle: Handler = async (request) => {
    const url = request.url === MCP_URL.href ? MCP_URL : new URL(request.url);
    const isMcp = url.pathname === "/mcp";
    try {
      if (url.pathname === "/readyz")
        return json({ ready: phases.phase === "Serving" }, phases.phase === "Serving" ? 200 : 503);
      phases.step("request");
      checkOrigin(listed, request);
      if (isPreflight(request)) {
        const methods = methodsAt(url.pathname);
        if (methods.length > 0) return preflight(request, methods);
      }
      const resetId = RESET_PATH.exec(url.pathname)?.[1];
      if (resetId !== undefined) return await resetSession(core, request, resetId);
      const metadata = protectedResource(core.callerIdentity, request.method, url.pathname);
      if (metadata !== null) return metadata;
      const caller = await core.principals.authenticate(request.headers.get("authorization"), hostsWord(core, request));
      request.buffered?.belongTo(`principal:${caller.principalId}`);
      if (isMcp) {
        core.freshness.require();
        return await mcp(request, caller);
      }
      const matching = routesAt(url.pathname);
      const route = matching.find((candidate) => candidate.method === request.method);
      if (route === undefined) {
        throw matching.length > 0
          ? new CmcpError("METHOD_NOT_ALLOWED", "this path does not support the method")
          : new CmcpError("NOT_FOUND", "there is nothing at this path");
      }
      return await route.endpoint({ request, url, caller, id: decoded(route.path.exec(url.pathname)?.[1] ?? "") });
    } catch (thrown) {
      const error = asCmcpError(thrown, "INTERNAL", "the gateway could not handle the request");
      if (error.code === "INTERNAL") reportFault(error);
      const headers = challengeFor(core, error);
      return isMcp ? errorJsonRpc(error, headers) : errorJson(error, headers);
    }
  };
  return (request) => {
    const origin = request.headers.get("origin");
    return origin === null || !listed.includes(origin)
      ? handle(request)
      : handle(request).then((answer) => readableBy(origin, answer));
  };
}

/** A part of the path as the agent means it (RFC 3986 section 2.1). @throws CmcpError `MCP_INVALID_REQUEST` for percent signs that encode no UTF-8 */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new CmcpError("MCP_INVALID_REQUEST", "the path's percent-encoding is not UTF-8");
  }
}

/** A 401 says how to authenticate (RFC 9110 section 15.5.2), and of the error only where a token was sent (RFC 6750 section 3.1). */
function challengeFor({ callerIdentity }: Core, error: CmcpError): Record<string, string> {
  if (error.code !== "UNAUTHENTICATED") return {};
  return {
    "www-authenticate": challenge(error.detail["reason"] === "missing" ? "missing" : "invalid", callerIdentity),
  };
}

/** The SPIFFE ID of the agent's client certificate, as the host says. The host's HTTP front forwards no header of this name from an agent. */
function hostsWord({ callerIdentity }: Core, request: HttpRequest): HostAsserted<PeerIdentity> | null {
  const spiffeId = request.headers.get("x-cmcp-host-asserted-spiffe-id");
  return spiffeId === null ? null : readHostAsserted(untrusted(spiffeId), callerIdentity.host_asserted);
}
