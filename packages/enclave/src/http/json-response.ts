import type { CmcpError } from "@cmcp/boundary";
import type { HttpResponse } from "@cmcp/mcp";

const HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

/** A JSON response that must not be cached. */
export function json(body: object, status = 200, headers: Record<string, string> = {}): HttpResponse {
  return { status, headers: { ...HEADERS, ...headers }, body: JSON.stringify(body) };
}

/** A large JSON response, which is sent while it is made. */
export function jsonInPieces(body: AsyncIterable<Uint8Array>): HttpResponse {
  return { status: 200, headers: HEADERS, body };
}

/** An error of the gateway's own endpoints: code, message, action. */
export function errorJson(error: CmcpError, headers: Record<string, string> = {}): HttpResponse {
  return json({ error: { code: error.code, message: error.message, action: error.action } }, error.httpStatus, headers);
}

/** The same error as JSON-RPC, for `/mcp`. */
export function errorJsonRpc(error: CmcpError, headers: Record<string, string> = {}): HttpResponse {
  return json(
    {
      jsonrpc: "2.0",
      id: null,
      error: { code: -32000, message: error.message, data: { error_code: error.code, action: error.action } },
    },
    error.httpStatus,
    headers,
  );
}
