import { CmcpError, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { metadataFault } from "./fault.ts";
import type { Fetch } from "./http.ts";
import { MAX_SCOPE, MAX_URL } from "./limits.ts";
import { documentOf } from "./resource-metadata.ts";

const endpoint = z.string().max(MAX_URL);
const words = z.array(z.string().max(MAX_SCOPE)).max(256).optional();

const documentSchema = z.object({
  issuer: z.string().max(MAX_URL),
  authorization_endpoint: endpoint.optional(),
  token_endpoint: endpoint,
  registration_endpoint: endpoint.optional(),
  jwks_uri: endpoint.optional(),
  scopes_supported: words,
  token_endpoint_auth_methods_supported: words,
  code_challenge_methods_supported: words,
  id_token_signing_alg_values_supported: words,
  dpop_signing_alg_values_supported: words,
  authorization_response_iss_parameter_supported: z.boolean().optional(),
  client_id_metadata_document_supported: z.boolean().optional(),
});

/** Authorization server metadata, as far as it says something here. */
export type ServerMetadata = z.infer<typeof documentSchema>;

/** Well-known URLs of an issuer, in the order of MCP 2025-11-25, "Authorization Server Metadata Discovery" (RFC 8414 section 3.1, OIDC). */
function places(issuer: URL): readonly string[] {
  const { origin, pathname } = issuer;
  const path = pathname.replace(/\/$/, "");
  const inserted = ["oauth-authorization-server", "openid-configuration"].map(
    (name) => `${origin}/.well-known/${name}${path}`,
  );
  return path === "" ? inserted : [...inserted, `${origin}${path}/.well-known/openid-configuration`];
}

/** Endpoints that the enclave itself sends secrets to: they are the issuer's, as only its server was approved and authenticated. */
const OWN_ENDPOINTS = ["token_endpoint", "registration_endpoint", "jwks_uri"] as const;

function readDocument(raw: unknown, issuer: string): ServerMetadata {
  const read = documentSchema.safeParse(raw);
  if (!read.success)
    throw metadataFault(`the authorization server metadata is not valid: ${schemaProblem(read.error).text}`);
  // RFC 8414 section 3.3: identical, character by character. Another issuer's document would mix two servers up.
  if (read.data.issuer !== issuer) throw metadataFault("the authorization server metadata is of another issuer");
  const { origin, protocol } = new URL(issuer);
  for (const name of OWN_ENDPOINTS) {
    const text = read.data[name];
    if (text !== undefined && URL.parse(text)?.origin !== origin)
      throw metadataFault(`the authorization server's ${name} is at another origin than its issuer`);
  }
  const { authorization_endpoint: authorization } = read.data;
  if (authorization !== undefined && !["https:", protocol].includes(URL.parse(authorization)?.protocol ?? ""))
    throw metadataFault("the authorization server's authorization_endpoint is not https");
  return read.data;
}

/**
 * Finds the metadata of an issuer.
 * @throws CmcpError `AUTHORIZATION_METADATA_INVALID` where there is none, or it is of another issuer; what `fetch` throws
 */
export async function findServerMetadata(issuer: string, fetch: Fetch): Promise<ServerMetadata> {
  const url = URL.parse(issuer);
  if (url === null || url.search !== "" || url.hash !== "")
    throw metadataFault("an issuer is a URL without query and fragment");
  for (const place of places(url)) {
    const response = await fetch(place, { method: "GET", headers: { accept: "application/json" } });
    if (response.status !== 200) continue;
    return readDocument(await documentOf(response), issuer);
  }
  throw metadataFault("the authorization server publishes no metadata");
}

/**
 * The one authorization server to use, of those that the resource names.
 * @throws CmcpError `AUTHORIZATION_SERVER_NOT_ALLOWED` where none of them is approved: a tool server that names its own would be
 * sent the gateway's credential
 */
export function approvedIssuer(named: readonly string[], approved: Pick<ReadonlySet<string>, "has">): string {
  const issuer = named.find((name) => approved.has(name));
  if (issuer === undefined)
    throw new CmcpError(
      "AUTHORIZATION_SERVER_NOT_ALLOWED",
      "the tool server names no authorization server that its catalog entry lists",
    );
  return issuer;
}
