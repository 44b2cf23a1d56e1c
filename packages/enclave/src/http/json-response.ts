import type { CmcpError } from "@cmcp/boundary";
import type { HttpResponse } from "@cmcp/mcp";

/** A JSON reply that no cache may keep. */
export function json(body: object, status = 200, headers: Record<string, string> = {}): HttpResponse {
  return { status, headers: { "content-type": "application/json", "cache-control": "no-store", ...headers }, body: JSON.stringify(body) };
}

/** An error as this gateway's own endpoints answer it: code, message, action. */
export function errorJson(error: CmcpError, headers: Record<string, string> = {}): HttpResponse {
  return json({ error: { code: error.code, message: error.message, action: error.action } }, error.httpStatus, headers);
}

/** The same error as JSON-RPC, for a path whose clients read nothing else. */
export function errorJsonRpc(error: CmcpError, headers: Record<string, string> = {}): HttpResponse {
  return json({ jsonrpc: "2.0", id: null, error: { code: -32000, message: error.message, data: { error_code: error.code, action: error.action } } }, error.httpStatus, headers);
}
