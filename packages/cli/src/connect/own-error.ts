import type { CmcpError, JsonValue } from "@cmcp/boundary";

/** JSON-RPC code of an error that is neither the gateway's nor a server's. */
const OWN_ERROR = -32_000;

/** The answer to a request whose own answer did not come, as one JSON-RPC message. */
export function ownError(id: JsonValue, { code, message, action }: CmcpError): string {
  const error = { code: OWN_ERROR, message: `${code}: ${message}`, data: { error_code: code, action } };
  return JSON.stringify({ jsonrpc: "2.0", id, error });
}
