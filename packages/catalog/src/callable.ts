import { CmcpError } from "@cmcp/boundary";
import type { CatalogTool } from "./load.ts";

/** Whether this version can call the tool's server. A tool that cannot be called is not listed to agents. */
export function isCallable(tool: CatalogTool): boolean {
  return tool.server.transport === "streamable-http";
}

/** @throws CmcpError `NOT_SUPPORTED` when the tool's server has a transport this version cannot call. */
export function requireCallable(tool: CatalogTool): void {
  if (!isCallable(tool)) throw new CmcpError("NOT_SUPPORTED", `tool ${tool.toolName} is on a server with transport ${tool.server.transport}, which this version cannot call`);
}
