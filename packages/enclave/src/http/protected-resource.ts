import { CmcpError } from "@cmcp/boundary";
import { metadataPaths, resourceMetadata, type IdentitySettings } from "@cmcp/identity";
import type { HttpResponse } from "@cmcp/mcp";
import { json } from "./json-response.ts";

/**
 * The protected resource metadata (RFC 9728 section 3), which tells who has no token yet where to get one; `null` for
 * any other path. It says what the measured configuration says, whoever asks.
 * @throws CmcpError `METHOD_NOT_ALLOWED`
 */
export function protectedResource(settings: IdentitySettings, method: string, path: string): HttpResponse | null {
  const metadata = resourceMetadata(settings);
  if (metadata === null || !metadataPaths(metadata.resource).includes(path)) return null;
  if (method !== "GET") throw new CmcpError("METHOD_NOT_ALLOWED", "this path does not support the method");
  return json(metadata);
}
