import { parseJson, schemaProblem, untrusted, type JsonValue } from "@cmcp/boundary";
import * as z from "zod";
import type { Challenge } from "./challenge.ts";
import { metadataFault } from "./fault.ts";
import type { Fetch } from "./http.ts";
import { MAX_SCOPE, MAX_SCOPES, MAX_SERVERS, MAX_URL } from "./limits.ts";
import { isScope } from "./scopes.ts";

const WELL_KNOWN = "/.well-known/oauth-protected-resource";

const documentSchema = z.object({
  resource: z.string().max(MAX_URL),
  authorization_servers: z.array(z.string().max(MAX_URL)).min(1).max(MAX_SERVERS),
  scopes_supported: z.array(z.string().max(MAX_SCOPE).refine(isScope)).max(MAX_SCOPES).optional(),
  dpop_signing_alg_values_supported: z.array(z.string()).optional(),
  dpop_bound_access_tokens_required: z.boolean().optional(),
});

/** Protected resource metadata (RFC 9728 section 2) of a tool server, as far as it says something here. */
export interface ResourceMetadata {
  /** The identifier to ask tokens for, as it is published. */
  readonly resource: string;
  readonly servers: readonly string[];
  readonly scopes: readonly string[] | null;
  readonly wantsProofs: boolean;
}

/**
 * Whether metadata of `resource` may speak for a server: it is the server's own URL, or one above it on the same origin (MCP
 * 2025-11-25, "Canonical Server URI"). Another's would have tokens for another resource sent to this server.
 */
function covers(resource: string, server: URL): boolean {
  const url = URL.parse(resource);
  if (url === null || url.origin !== server.origin || url.hash !== "" || url.search !== "") return false;
  const path = url.pathname.endsWith("/") ? url.pathname : `${url.pathname}/`;
  return `${server.pathname}/`.startsWith(path);
}

function readDocument(raw: unknown, server: URL): ResourceMetadata {
  const read = documentSchema.safeParse(raw);
  if (!read.success)
    throw metadataFault(`the protected resource metadata is not valid: ${schemaProblem(read.error).text}`);
  const { resource, authorization_servers: servers, scopes_supported: scopes = null, ...dpop } = read.data;
  if (!covers(resource, server)) throw metadataFault("the protected resource metadata is of another resource");
  const wantsProofs =
    dpop.dpop_bound_access_tokens_required === true ||
    dpop.dpop_signing_alg_values_supported?.includes("ES256") === true;
  return { resource, servers, scopes, wantsProofs };
}

/** Where the document may be: where the challenge says, else below the well-known path, else at it (RFC 9728 section 3.1). */
function places(server: URL, challenge: Challenge | null): readonly string[] {
  if (challenge?.resourceMetadata != null) {
    const url = URL.parse(challenge.resourceMetadata);
    if (url?.origin !== server.origin)
      throw metadataFault("the tool server names protected resource metadata of another origin");
    return [url.href];
  }
  const path = server.pathname === "/" ? "" : server.pathname;
  return [...new Set([`${server.origin}${WELL_KNOWN}${path}`, `${server.origin}${WELL_KNOWN}`])];
}

/**
 * Finds the protected resource metadata of a tool server.
 * @throws CmcpError `AUTHORIZATION_METADATA_INVALID` where there is none, or it is of another resource; what `fetch` throws
 */
export async function findResourceMetadata(
  server: URL,
  challenge: Challenge | null,
  fetch: Fetch,
): Promise<ResourceMetadata> {
  for (const place of places(server, challenge)) {
    const response = await fetch(place, { method: "GET", headers: { accept: "application/json" } });
    if (response.status !== 200) continue;
    return readDocument(await documentOf(response), server);
  }
  throw metadataFault("the tool server publishes no protected resource metadata");
}

/** The JSON of a metadata response. @throws CmcpError `AUTHORIZATION_METADATA_INVALID` */
export async function documentOf(response: Response): Promise<JsonValue> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  try {
    return parseJson(untrusted(bytes));
  } catch {
    throw metadataFault("a metadata document is not JSON, or could be read in two ways");
  }
}
