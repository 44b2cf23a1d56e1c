import type { JsonObject } from "@cmcp/boundary";
import type { RpcBody } from "../protocol/outcome.ts";
import type { RequestId } from "./message.ts";

/** JSON-RPC 2.0 section 5.1, and the codes MCP adds. */
export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** Server-defined: every refusal of the gateway's own. */
  refused: -32000,
  /** MCP 2026-07-28: a header is missing or differs from the body it repeats. */
  headerMismatch: -32020,
  /** MCP 2026-07-28: the client did not declare a capability that the request needs. */
  missingCapability: -32021,
  /** MCP 2026-07-28: the protocol version is not supported; `data` lists those that are. */
  unsupportedVersion: -32022,
} as const;

/** The text of a JSON-RPC result. */
export function resultText(id: RequestId, result: JsonObject): string {
  return JSON.stringify({ jsonrpc: "2.0", id, result });
}

/** The text of a JSON-RPC error; `id` is null when the request's could not be read. */
export function errorText(id: RequestId | null, code: number, message: string, data: JsonObject | null): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: data === null ? { code, message } : { code, message, data } });
}

/** The text of an answer. */
export function bodyText(id: RequestId, body: RpcBody): string {
  return JSON.stringify({ jsonrpc: "2.0", id, ...("error" in body ? { error: body.error } : { result: body.result }) });
}
