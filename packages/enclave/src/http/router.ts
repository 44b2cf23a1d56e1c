import { CmcpError, asCmcpError, untrusted, type ErrorCode } from "@cmcp/boundary";
import {
  challenge,
  isProofFault,
  metadataPaths,
  readHostAsserted,
  resourceMetadata,
  type HostAsserted,
  type IdentitySettings,
  type PeerIdentity,
} from "@cmcp/identity";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Consents } from "@cmcp/oauth";
import type { Caller } from "../access/caller.ts";
import type { Principals } from "../access/principals.ts";
import type { Freshness } from "../instance/freshness.ts";
import type { InstanceReport } from "../instance/report.ts";
import { reportFault } from "../instance/stderr-events.ts";
import type { Channel } from "@cmcp/session";
import { answerSealed, PLAIN, SEALED_PATH, type Ingress, type SealedRequestPorts } from "./sealed-requests.ts";
import type { SealKeyList } from "../instance/seal-keys.ts";
import { APPROVALS_PATH } from "./approvals.ts";
import { DISCLOSURES_PATH } from "./disclosures.ts";
import { CALLBACK_PATH, clientDocument, consentAnswer } from "./consents.ts";
import { checkOrigin, isPreflight, preflight, withCorsHeaders } from "./cross-origin.ts";
import { errorJson, errorJsonRpc, json } from "./json-response.ts";
import { KILL_SWITCH_PATH } from "./kill-switch.ts";
import { POLICY_KEYS_PATH } from "./policy-keys.ts";
import { REVOCATIONS_PATH } from "./manifests.ts";
import { type Route, routeOf, routesAt } from "./routes.ts";
import { ERASE_KEY_PATH } from "./session-key-erasure.ts";
import { RESET_PATH } from "./session-reset.ts";
import { STATEMENTS_PATH } from "./statements.ts";

/** The MCP endpoint: of every workflow, or of the one that the path names. Other names have no endpoint of their own. */
const MCP_PATH = /^\/mcp(?:\/([A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}))?$/;
/** Methods of `/mcp` in both eras. The endpoint checks the era. */
const MCP_METHODS = ["POST", "GET", "DELETE"];
const SEALED_METHODS = ["POST"];
/** What authorization servers fetch, to know the gateway by. */
const JWKS_PATH = "/oauth/jwks";

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
  /** Where browsers come back to with what authorization servers say. */
  readonly consents: Pick<Consents, "complete">;
  /** The public keys that the gateway proves itself by to authorization servers (RFC 7517 section 5); `null` where it has none. */
  readonly clientJwks: object | null;
  readonly principals: Pick<Principals, "authenticate" | "atEndpoint">;
  /** The nonce that the next proof of possession needs. */
  readonly proofNonce: () => string;
  readonly freshness: Pick<Freshness, "requireFresh">;
  /** What anybody may know of the instance, to verify it before a token is shown. */
  readonly presentReport: () => InstanceReport & { readonly seal: SealKeyList };
  readonly mcp: (request: HttpRequest, caller: Caller) => Promise<HttpResponse>;
  /** An operator's reset of a session. A signature authenticates it, not a bearer token. */
  readonly reset: (request: HttpRequest, id: string) => Promise<HttpResponse>;
  /** An operator's erasure of a session's key, authenticated the same way. */
  readonly eraseKey: (request: HttpRequest, id: string) => Promise<HttpResponse>;
  /** An operator's change of policy signing keys, and a trip or unblock of the kill switch, authenticated the same way. */
  readonly policyKeys: (request: HttpRequest) => Promise<HttpResponse>;
  readonly killSwitch: (request: HttpRequest, act: string) => Promise<HttpResponse>;
  /** A provisioning key's statement, authenticated by its signature. It may come before there is any token. */
  readonly statement: (request: HttpRequest) => Promise<HttpResponse>;
  /** A list of revoked manifests, authenticated by a revocation key's signature. */
  readonly revocations: (request: HttpRequest) => Promise<HttpResponse>;
  /** Requests of approvers, authenticated by their own statements and tokens. */
  readonly approvals: (request: HttpRequest, ingress: Ingress) => Promise<HttpResponse>;
  /** An owner's permission, authenticated by an approver's token and the owner's signature. */
  readonly disclosures: (request: HttpRequest, ingress: Ingress) => Promise<HttpResponse>;
  readonly routes: readonly Route[];
  /** Over which channel requests with a token may come; sealed ones always may. */
  readonly channel: Channel;
  /** What opens sealed requests. */
  readonly seal: Omit<SealedRequestPorts, "handle">;
}

/** Creates the handler of all HTTP requests. */
export function createHandler(parts: HandlerPorts): Handler {
  const { allowedOrigins } = parts;
  const handle = async (request: HttpRequest, ingress: Ingress): Promise<HttpResponse> => {
    const url = new URL(request.url);
    try {
      if (url.pathname !== SEALED_PATH || ingress.channel === "sealed")
        return await answer(parts, request, url, ingress);
      parts.phases.step("request");
      checkOrigin(allowedOrigins, request);
      if (isPreflight(request)) return preflight(request, SEALED_METHODS);
      return await answerSealed({ ...parts.seal, handle }, request);
    } catch (thrown) {
      const error = asCmcpError(thrown, "INTERNAL", "the gateway could not handle the request");
      if (error.code === "INTERNAL") reportFault(error);
      const headers = challengeFor(parts, error);
      return MCP_PATH.test(url.pathname) ? errorJsonRpc(error, headers) : errorJson(error, headers);
    }
  };
  return (request) => {
    const origin = request.headers.get("origin");
    return origin === null || !allowedOrigins.includes(origin)
      ? handle(request, PLAIN)
      : handle(request, PLAIN).then((reply) => withCorsHeaders(origin, reply));
  };
}

async function answer(parts: HandlerPorts, request: HttpRequest, url: URL, ingress: Ingress): Promise<HttpResponse> {
  const { phases, identity } = parts;
  if (url.pathname === "/readyz") {
    const why = whyNotReady(parts);
    return json(why === null ? { ready: true } : { ready: false, why }, why === null ? 200 : 503);
  }
  phases.step("request");
  checkOrigin(parts.allowedOrigins, request);
  if (isPreflight(request)) {
    const methods = methodsAt(parts, url.pathname);
    if (methods.length > 0) return preflight(request, methods);
  }
  const resetId = RESET_PATH.exec(url.pathname)?.[1];
  if (resetId !== undefined) return await parts.reset(request, resetId);
  const erasedId = ERASE_KEY_PATH.exec(url.pathname)?.[1];
  if (erasedId !== undefined) return await parts.eraseKey(request, erasedId);
  const killSwitchAct = KILL_SWITCH_PATH.exec(url.pathname)?.[1];
  if (killSwitchAct !== undefined) return await parts.killSwitch(request, killSwitchAct);
  if (url.pathname === POLICY_KEYS_PATH) return await parts.policyKeys(request);
  if (url.pathname === STATEMENTS_PATH) return await parts.statement(request);
  if (url.pathname === REVOCATIONS_PATH) return await parts.revocations(request);
  if (APPROVALS_PATH.test(url.pathname)) return await parts.approvals(request, ingress);
  if (url.pathname === DISCLOSURES_PATH) return await parts.disclosures(request, ingress);
  const metadata = protectedResource(identity, request.method, url.pathname);
  if (metadata !== null) return metadata;
  if (request.method === "GET" && url.pathname === CALLBACK_PATH) return await consentAnswer(parts.consents, url);
  const client = clientDocument(identity, request.method, url.pathname);
  if (client !== null) return client;
  if (request.method === "GET" && url.pathname === JWKS_PATH && parts.clientJwks !== null)
    return json(parts.clientJwks);
  if (request.method === "GET" && url.pathname === "/attestation" && !url.searchParams.has("nonce"))
    return json(parts.presentReport());
  if (parts.channel === "sealed" && ingress.channel === "plain")
    throw new CmcpError("SEAL_REQUIRED", "this gateway takes requests with a token only under the seal");
  const caller = await parts.principals.authenticate(
    request.headers.get("authorization"),
    readHostAssertedIdentity(identity, request),
    { channel: ingress.channel, proof: request.headers.get("dpop"), method: request.method, path: url.pathname },
  );
  ingress.authenticated();
  request.buffered?.belongTo(`principal:${caller.principalId}`);
  const reply = await authenticated(parts, { request, url, caller });
  // RFC 9449 section 8.2: whoever proves a key hears which nonce the next proof needs.
  return caller.jwtIdentity?.thumbprint == null
    ? reply
    : { ...reply, headers: { ...reply.headers, "dpop-nonce": parts.proofNonce() } };
}

/** Answers a request whose caller is known. */
async function authenticated(
  parts: HandlerPorts,
  asked: { readonly request: HttpRequest; readonly url: URL; readonly caller: Caller },
): Promise<HttpResponse> {
  const endpoint = MCP_PATH.exec(asked.url.pathname);
  if (endpoint === null) return await callRoute(parts.routes, asked);
  parts.freshness.requireFresh();
  const [, workflow] = endpoint;
  const caller = workflow === undefined ? asked.caller : parts.principals.atEndpoint(asked.caller, workflow);
  return await parts.mcp(asked.request, caller);
}

/** The code that calls are refused with; `null` where they are served. */
function whyNotReady({ phases: { phase }, quorumLost }: HandlerPorts): ErrorCode | null {
  if (phase === "Measured") return "NOT_PROVISIONED";
  if (phase !== "Serving") return "PHASE_VIOLATION";
  return quorumLost() ? "WITNESS_UNAVAILABLE" : null;
}

/** The methods that a page may use at a path. An operator's statements have none for pages. */
function methodsAt({ routes, identity }: HandlerPorts, path: string): readonly string[] {
  if (MCP_PATH.test(path)) return MCP_METHODS;
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

/** The challenge of a 401 (RFC 9110 section 15.5.2), or of a 403 that a further scope would lift. */
function challengeFor({ identity, proofNonce }: HandlerPorts, { code, detail }: CmcpError): Record<string, string> {
  if (code === "SCOPE_INSUFFICIENT")
    return { "www-authenticate": challenge({ kind: "scope", scopes: String(detail["scopes"]) }, identity) };
  if (code !== "UNAUTHENTICATED") return {};
  const fault = detail["proof"];
  if (isProofFault(fault))
    return { "www-authenticate": challenge({ kind: "proof", fault }, identity), "dpop-nonce": proofNonce() };
  // An error is named only if a token was sent (RFC 6750 section 3.1).
  const kind = detail["reason"] === "missing" ? "missing" : "invalid";
  return { "www-authenticate": challenge({ kind }, identity) };
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
