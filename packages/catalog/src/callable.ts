import { CmcpError } from "@cmcp/boundary";
import type { Approved } from "./approved.ts";
import type { CatalogTool } from "./tool.ts";

/**
 * Whether this version can call the server of what was approved: over https only where something says who it is. What cannot be
 * called is not listed to agents.
 */
export function isCallable({ server }: Pick<Approved, "server">): boolean {
  if (server.transport === "stdio" || server.transport === "gateway") return true;
  return server.url.protocol === "http:" || server.trust !== null;
}

/** @throws CmcpError `NOT_SUPPORTED` when the tool's server has a transport this version cannot call. */
export function requireCallable(tool: CatalogTool): void {
  if (!isCallable(tool))
    throw new CmcpError(
      "NOT_SUPPORTED",
      `tool ${tool.toolName} is on a server this version cannot call: over https it needs a tls_fingerprint, or trust webpki, private-ca or spiffe`,
    );
}
