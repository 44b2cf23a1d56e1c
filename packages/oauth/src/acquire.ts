import { CmcpError } from "@cmcp/boundary";
import { calculatePKCECodeChallenge, generateRandomCodeVerifier, type TokenEndpointResponse } from "oauth4webapi";
import type { KnownClient } from "./client.ts";
import { asAuthorizationFault, isClientLost, metadataFault } from "./fault.ts";
import { ConsentRequired, grantOf, type Grant } from "./grant.ts";
import { MAX_TOKEN } from "./limits.ts";
import type { ResourceMetadata } from "./resource-metadata.ts";
import type { ServerMetadata } from "./server-metadata.ts";
import type { AuthorizationOptions, GrantSettings } from "./settings.ts";
import { TokenEndpoint } from "./token-endpoint.ts";

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

/** Where tokens for a server come from, as it was found out. */
export interface Discovered {
  readonly resource: ResourceMetadata;
  readonly metadata: ServerMetadata;
  readonly client: KnownClient;
  /** Whether a proof is shown at the token endpoint. */
  readonly proven: boolean;
  readonly scopes: readonly string[];
}

function endpointOf({ metadata, client, proven }: Discovered, options: AuthorizationOptions): TokenEndpoint {
  const { fetch, now, pair } = options;
  return new TokenEndpoint({ metadata, client, pair: proven ? pair : null, fetch, now });
}

/** The parameters that every request for a token has (RFC 8707 section 2.2). */
function about({ resource: { resource }, scopes }: Discovered): Record<string, string> {
  return { resource, ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }) };
}

async function toGrant(
  response: TokenEndpointResponse,
  discovered: Discovered,
  options: AuthorizationOptions,
  refreshToken: string | null,
): Promise<Grant> {
  const { resource, metadata, proven, scopes } = discovered;
  return await grantOf(response, {
    issuer: metadata.issuer,
    kind: options.grant.kind,
    subject: options.subject,
    audience: options.audience ?? resource.resource,
    scopes,
    refreshToken,
    proven: !proven ? "never" : options.proofs === "required" ? "required" : "offered",
    now: options.monotonic(),
  });
}

/** Renews a grant by its refresh token (RFC 6749 section 6). The scopes stay those of the grant. @throws as oauth4webapi */
export async function refresh(grant: Grant, discovered: Discovered, options: AuthorizationOptions): Promise<Grant> {
  const { refreshToken } = grant;
  if (refreshToken === null) throw new CmcpError("INTERNAL", "a grant without a refresh token was to be renewed by it");
  const response = await endpointOf(discovered, options).ask("refresh_token", {
    refresh_token: refreshToken,
    resource: discovered.resource.resource,
  });
  return await toGrant(response, { ...discovered, scopes: grant.scopes }, options, refreshToken);
}

/** The token response of a grant that needs nobody. */
async function askAlone(
  grant: Exclude<GrantSettings, { kind: "authorization_code" }>,
  discovered: Discovered,
  options: AuthorizationOptions,
): Promise<TokenEndpointResponse> {
  const endpoint = endpointOf(discovered, options);
  const { resource, metadata, scopes } = discovered;
  switch (grant.kind) {
    case "client_credentials":
      return await endpoint.ask("client_credentials", about(discovered));
    case "jwt_bearer": {
      const assertion = await grant.assertion({ issuer: metadata.issuer, resource: resource.resource, scopes });
      if (assertion.length > MAX_TOKEN) throw new CmcpError("AUTHORIZATION_REFUSED", "the assertion is too long");
      return await endpoint.ask(JWT_BEARER, { assertion, ...about(discovered) });
    }
    case "token_exchange": {
      const { token, type } = await grant.subjectToken();
      return await endpoint.ask(TOKEN_EXCHANGE, {
        subject_token: token,
        subject_token_type: type,
        requested_token_type: ACCESS_TOKEN,
        ...about(discovered),
      });
    }
  }
}

/**
 * Begins a person's consent. The verifier stays here: what the browser and the host see is its hash (RFC 7636 section 4.2).
 * @param granted gets the grant once the person's browser is back with a code
 */
async function requireConsent(
  grant: Extract<GrantSettings, { kind: "authorization_code" }>,
  discovered: Discovered,
  options: AuthorizationOptions,
  granted: (grant: Grant) => void,
): Promise<ConsentRequired> {
  const { metadata, client } = discovered;
  const { consents, redirectUri, first } = grant;
  const { authorization_endpoint: endpoint, code_challenge_methods_supported: methods = [] } = metadata;
  if (endpoint === undefined) throw metadataFault("the authorization server has no authorization_endpoint");
  if (!methods.includes("S256"))
    throw metadataFault("the authorization server does not say that it supports PKCE with S256");
  const verifier = generateRandomCodeVerifier();
  const state = consents.begin(`${options.subject} ${options.server.href}`, async (parameters) => {
    try {
      const callback = { parameters, state, redirectUri, verifier };
      const response = await endpointOf(discovered, options).exchangeCode(callback, discovered.resource.resource);
      granted(await toGrant(response, discovered, options, null));
      return null;
    } catch (thrown) {
      if (isClientLost(thrown)) options.clients.forget(metadata.issuer);
      throw asAuthorizationFault(thrown);
    }
  });
  const url = new URL(endpoint);
  const parameters = {
    response_type: "code",
    client_id: client.id,
    redirect_uri: redirectUri,
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...about(discovered),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return new ConsentRequired(first === undefined ? url.href : await first(url.href));
}

/**
 * Gets a grant.
 * @param granted gets one that a person gives later
 * @throws ConsentRequired for one that only a person can give; as oauth4webapi
 */
export async function acquire(
  discovered: Discovered,
  options: AuthorizationOptions,
  granted: (grant: Grant) => void,
): Promise<Grant> {
  const { grant } = options;
  if (grant.kind === "authorization_code") throw await requireConsent(grant, discovered, options, granted);
  return await toGrant(await askAlone(grant, discovered, options), discovered, options, null);
}
