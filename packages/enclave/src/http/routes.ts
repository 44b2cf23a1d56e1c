import { CmcpError } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import { attestation, type AttestationPorts } from "./attestation.ts";
import { auditExport, type ExportPorts } from "./audit-export.ts";
import { calls, type CallsPorts } from "./calls.ts";
import { closeById, traceClaim, traceRecord, type ClaimEndpointPorts } from "./claims.ts";
import { launchDocument, sessionEvidence, type EvidencePorts } from "./session-evidence.ts";
import { presentManifest, type ManifestEndpointPorts } from "./manifests.ts";
import { status, type StatusPorts } from "./status.ts";

/** A request of an authenticated caller to one of the routes. */
export interface RouteRequest {
  readonly request: HttpRequest;
  readonly url: URL;
  readonly caller: Caller;
  /** The variable part of the path. */
  readonly id: string;
}

/** One path and method, with its endpoint. */
export interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly endpoint: (requested: RouteRequest) => Promise<HttpResponse> | HttpResponse;
}

/** What the endpoints other than `/mcp` need. */
export interface RoutePorts {
  readonly status: StatusPorts;
  readonly attestation: AttestationPorts;
  readonly calls: CallsPorts;
  readonly manifests: ManifestEndpointPorts;
  readonly sessions: ClaimEndpointPorts & EvidencePorts & ExportPorts;
}

/** The endpoints other than `/mcp`. */
export function routes(ports: RoutePorts): readonly Route[] {
  const { status: statusPorts, attestation: attestationPorts, sessions } = ports;
  const ofSession = (end: string): RegExp => new RegExp(`^/sessions/([^/]{1,256})/${end}$`);
  return [
    { method: "GET", path: /^\/v1\/status$/, endpoint: () => status(statusPorts) },
    {
      method: "GET",
      path: /^\/attestation$/,
      endpoint: ({ url, caller }) => attestation(attestationPorts, url, caller),
    },
    { method: "GET", path: /^\/launch-document$/, endpoint: ({ caller }) => launchDocument(sessions, caller) },
    { method: "GET", path: /^\/calls$/, endpoint: ({ url, caller }) => calls(ports.calls, url, caller) },
    {
      method: "POST",
      path: /^\/manifest$/,
      endpoint: ({ request, caller }) => presentManifest(ports.manifests, request, caller),
    },
    { method: "GET", path: /^\/audit\/export$/, endpoint: (asked) => auditExport(sessions, asked) },
    { method: "POST", path: ofSession("close"), endpoint: ({ id, caller }) => closeById(sessions, caller, id) },
    { method: "GET", path: ofSession("trace-claim"), endpoint: ({ id, caller }) => traceClaim(sessions, caller, id) },
    { method: "GET", path: ofSession("evidence"), endpoint: ({ id, caller }) => sessionEvidence(sessions, caller, id) },
    { method: "GET", path: ofSession("trace-record"), endpoint: ({ id, caller }) => traceRecord(sessions, caller, id) },
    { method: "POST", path: /^\/catalog\/exception$/, endpoint: notSupported("a signed catalog exception") },
  ];
}

function notSupported(what: string): Route["endpoint"] {
  return () => {
    throw new CmcpError("NOT_SUPPORTED", `${what} is not implemented in this version`);
  };
}

/** The routes at a path, for all methods. */
export function routesAt(all: readonly Route[], path: string): readonly Route[] {
  return all.filter((route) => route.path.test(path));
}

/** The route of a method and path. @throws CmcpError `METHOD_NOT_ALLOWED`, `NOT_FOUND`, `MCP_INVALID_REQUEST` */
export function routeOf(
  all: readonly Route[],
  method: string,
  path: string,
): { readonly route: Route; readonly id: string } {
  const matching = routesAt(all, path);
  const route = matching.find((candidate) => candidate.method === method);
  if (route !== undefined) return { route, id: decoded(route.path.exec(path)?.[1] ?? "") };
  throw matching.length > 0
    ? new CmcpError("METHOD_NOT_ALLOWED", "this path does not support the method")
    : new CmcpError("NOT_FOUND", "this path does not exist");
}

/** A percent-decoded part of the path (RFC 3986 section 2.1). @throws CmcpError `MCP_INVALID_REQUEST` if it does not decode to UTF-8 */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new CmcpError("MCP_INVALID_REQUEST", "the percent-encoding of the path does not decode to UTF-8");
  }
}
