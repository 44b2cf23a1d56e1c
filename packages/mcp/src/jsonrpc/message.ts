import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** JSON-RPC request id as MCP allows it: a string or an integer, never null (MCP base protocol, "Requests"). */
export type RequestId = string | number;

export interface RpcRequest {
  readonly kind: "request";
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject | null;
}
export interface RpcNotification {
  readonly kind: "notification";
  readonly method: string;
  readonly params: JsonObject | null;
}
export interface RpcResult {
  readonly kind: "result";
  readonly id: RequestId;
  readonly result: JsonObject;
}
export interface RpcFailure {
  readonly kind: "failure";
  /** `null` when the sender could not read the id of what it answers. */
  readonly id: RequestId | null;
  readonly error: { readonly code: number; readonly message: string; readonly data?: JsonValue };
}
/** One JSON-RPC 2.0 message. */
export type RpcMessage = RpcRequest | RpcNotification | RpcResult | RpcFailure;

/** Longest id in characters; an id is echoed and kept while the request runs. */
export const MAX_ID_LENGTH = 256;
/** Longest method name in characters. */
export const MAX_METHOD_LENGTH = 128;

function refuse(why: string): never {
  throw new CmcpError("MCP_INVALID_REQUEST", why);
}

function isRequestId(value: JsonValue | undefined): value is RequestId {
  return typeof value === "string" ? value.length <= MAX_ID_LENGTH : Number.isSafeInteger(value);
}

function onlyMembers(message: JsonObject, allowed: readonly string[]): void {
  if (Object.keys(message).some((key) => !allowed.includes(key)))
    refuse("the JSON-RPC message has a member its kind does not allow");
}

function readCall(message: JsonObject, method: JsonValue): RpcRequest | RpcNotification {
  onlyMembers(message, ["jsonrpc", "id", "method", "params"]);
  if (typeof method !== "string" || method === "" || method.length > MAX_METHOD_LENGTH) {
    refuse(`method must be a string of 1 to ${MAX_METHOD_LENGTH} characters`);
  }
  const { id, params = null } = message;
  if ("params" in message && !isJsonObject(message.params)) refuse("params must be an object");
  const object = isJsonObject(params) ? params : null;
  if (!("id" in message)) return { kind: "notification", method, params: object };
  if (!isRequestId(id)) refuse(`id must be an integer or a string of at most ${MAX_ID_LENGTH} characters`);
  return { kind: "request", id, method, params: object };
}

function readFailure(message: JsonObject, error: JsonValue): RpcFailure {
  onlyMembers(message, ["jsonrpc", "id", "error"]);
  if (!isJsonObject(error)) refuse("error must be an object");
  const { code, message: text } = error;
  if (typeof code !== "number" || !Number.isSafeInteger(code) || typeof text !== "string")
    refuse("error needs an integer code and a message");
  const { id = null } = message;
  if (id !== null && !isRequestId(id)) refuse("id of an error must be a request id or null");
  return {
    kind: "failure",
    id,
    error: error.data === undefined ? { code, message: text } : { code, message: text, data: error.data },
  };
}

/**
 * Reads one JSON-RPC 2.0 message of the shape MCP uses: named parameters, object results, no batches
 * (MCP 2025-06-18 removed them).
 *
 * @throws CmcpError `MCP_INVALID_REQUEST`.
 */
export function readMessage(value: JsonValue): RpcMessage {
  if (Array.isArray(value)) refuse("JSON-RPC batches are not supported; send one message a request");
  if (!isJsonObject(value)) refuse("a JSON-RPC message is an object");
  if (value.jsonrpc !== "2.0") refuse('jsonrpc must be "2.0"');
  if (value.method !== undefined) return readCall(value, value.method);
  if (value.error !== undefined) return readFailure(value, value.error);
  if (value.result === undefined) refuse("a JSON-RPC message has a method, a result or an error");
  onlyMembers(value, ["jsonrpc", "id", "result"]);
  if (!isRequestId(value.id)) refuse("a result needs the id of its request");
  if (!isJsonObject(value.result)) refuse("result must be an object");
  return { kind: "result", id: value.id, result: value.result };
}

/** The id to answer a message that {@link readMessage} refused with, or `null` when it has none worth echoing. */
export function echoableId(value: JsonValue): RequestId | null {
  return isJsonObject(value) && isRequestId(value.id) ? value.id : null;
}
