import { schemaProblem } from "@cmcp/boundary";
import { ClientSecretPost, None, PrivateKeyJwt, type ClientAuth, type CryptoKey } from "oauth4webapi";
import * as z from "zod";
import { metadataFault, refusalFault, responseFault } from "./fault.ts";
import type { Fetch } from "./http.ts";
import { MAX_TOKEN, MAX_URL } from "./limits.ts";
import { documentOf } from "./resource-metadata.ts";
import type { ServerMetadata } from "./server-metadata.ts";

/** How a registered client proves who it is. `key`: a private key that only this process has, with the id its server knows it by. */
export type ClientProof =
  | { readonly kind: "none" }
  | { readonly kind: "secret"; readonly secret: () => string }
  | { readonly kind: "key"; readonly key: CryptoKey; readonly kid?: string };

/** Who this is to authorization servers. */
export type ClientSettings =
  | { readonly kind: "registered"; readonly id: string; readonly proof: ClientProof }
  | {
      readonly kind: "unregistered";
      readonly name: string;
      readonly redirectUri: string;
      /** URL of the client's metadata document (draft-ietf-oauth-client-id-metadata-document); `null` where none is served. */
      readonly metadataUrl: string | null;
    };

/** A client as one authorization server knows it. */
export interface KnownClient {
  readonly id: string;
  readonly authentication: ClientAuth;
}

/**
 * RFC 6749 section 2.3.1: both halves are form-encoded. As browsers encode forms, which leaves `-`, `_` and `.` alone: servers that
 * decode nothing then read the common ids as they are.
 */
function secretBasic(secret: string): ClientAuth {
  const encoded = (text: string): string => new URLSearchParams({ t: text }).toString().slice(2);
  return (_, client, __, headers) => {
    headers.set("authorization", `Basic ${btoa(`${encoded(client.client_id)}:${encoded(secret)}`)}`);
  };
}

/** The way to send a secret (OIDC discovery: the default is `client_secret_basic`). @throws CmcpError `AUTHORIZATION_METADATA_INVALID` */
function withSecret(secret: string, { token_endpoint_auth_methods_supported: supported }: ServerMetadata): ClientAuth {
  if (supported === undefined || supported.includes("client_secret_basic")) return secretBasic(secret);
  if (supported.includes("client_secret_post")) return ClientSecretPost(secret);
  throw metadataFault("the authorization server takes no client secret");
}

function authenticationOf(proof: ClientProof, metadata: ServerMetadata): ClientAuth {
  switch (proof.kind) {
    case "none":
      return None();
    case "secret":
      return withSecret(proof.secret(), metadata);
    case "key":
      return PrivateKeyJwt(proof.kid === undefined ? { key: proof.key } : { key: proof.key, kid: proof.kid });
  }
}

const registrationSchema = z.object({
  client_id: z.string().min(1).max(MAX_URL),
  client_secret: z.string().min(1).max(MAX_TOKEN).optional(),
  token_endpoint_auth_method: z.string().max(64).optional(),
});

/** The first way of authentication that both sides know. */
function offeredMethod({
  token_endpoint_auth_methods_supported: supported = ["client_secret_basic"],
}: ServerMetadata): string {
  const method = ["none", "client_secret_basic", "client_secret_post"].find((name) => supported.includes(name));
  if (method === undefined)
    throw metadataFault("the authorization server registers no client that this gateway can be");
  return method;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The client's own metadata (RFC 7591 section 2), for a registration or to be published. */
export function clientMetadata({
  name,
  redirectUri,
}: Pick<Extract<ClientSettings, { kind: "unregistered" }>, "name" | "redirectUri">): {
  readonly client_name: string;
  readonly redirect_uris: readonly string[];
  readonly grant_types: readonly string[];
  readonly response_types: readonly string[];
  readonly application_type: string;
} {
  return {
    client_name: name,
    redirect_uris: [redirectUri],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    application_type: LOOPBACK.test(new URL(redirectUri).hostname) ? "native" : "web",
  };
}

async function register(
  settings: Extract<ClientSettings, { kind: "unregistered" }>,
  metadata: ServerMetadata,
  fetch: Fetch,
): Promise<KnownClient> {
  const { registration_endpoint: url } = metadata;
  if (url === undefined) throw metadataFault("the authorization server knows no client, and registers none");
  const asked = offeredMethod(metadata);
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ ...clientMetadata(settings), token_endpoint_auth_method: asked }),
  });
  if (response.status !== 201 && response.status !== 200) throw refusalFault("invalid_client");
  const read = registrationSchema.safeParse(await documentOf(response));
  if (!read.success) throw responseFault(`the registration is not valid: ${schemaProblem(read.error).text}`);
  const { client_id: id, client_secret: secret, token_endpoint_auth_method: method = asked } = read.data;
  if (method === "none") return { id, authentication: None() };
  if (secret === undefined) throw responseFault("the registration has no secret for its way of authentication");
  return { id, authentication: method === "client_secret_post" ? ClientSecretPost(secret) : secretBasic(secret) };
}

/**
 * Who this is to one authorization server (MCP 2025-11-25, "Client Registration Approaches"): what was registered, else the published
 * metadata document, else a registration that is made now.
 * @throws CmcpError `AUTHORIZATION_METADATA_INVALID`, `AUTHORIZATION_RESPONSE_INVALID`, `AUTHORIZATION_REFUSED`
 */
export async function clientAt(metadata: ServerMetadata, settings: ClientSettings, fetch: Fetch): Promise<KnownClient> {
  if (settings.kind === "registered")
    return { id: settings.id, authentication: authenticationOf(settings.proof, metadata) };
  if (settings.metadataUrl !== null && metadata.client_id_metadata_document_supported === true)
    return { id: settings.metadataUrl, authentication: None() };
  return await register(settings, metadata, fetch);
}
