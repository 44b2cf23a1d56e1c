import { CmcpError } from "@cmcp/boundary";
import type { CatalogTool } from "./load.ts";

/**
 * Whether this version can call the tool's server: streamable HTTP, and over https only to a pinned key. A
 * tool that cannot be called is not listed to agents.
 */
export function isCallable(tool: CatalogTool): boolean {
  const { transport, url, pin } = tool.server;
  return transport === "streamable-http" && (url.protocol === "http:" || pin !== null);
}

/** @throws CmcpError `NOT_SUPPORTED` when the tool's server has a transport this version cannot call. */
export function requireCallable(tool: CatalogTool): void {
  if (!isCallable(tool)) throw new CmcpError("NOT_SUPPORTED", `tool ${tool.toolName} is on a server this version cannot call: it needs streamable-http, and over https a tls_fingerprint`);
}
