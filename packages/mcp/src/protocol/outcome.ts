import { isJsonObject, type ErrorCode, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { TaskState } from "../tasks/state.ts";

/** A server's JSON-RPC error, as inspected. */
export interface ServerRpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: JsonValue;
}

/** What beside its state is told of a task in the modern era: how it ended, or what it needs; empty while there is nothing to tell. */
export interface TaskEnding {
  readonly result?: JsonObject;
  readonly error?: JsonObject;
  readonly inputRequests?: JsonObject;
}

/**
 * How a request ended. Neither `message` nor `data` of an error may name the policy rule. `rpc` is a server's own refusal,
 * to be passed on as inspected.
 */
export type Outcome =
  | { readonly kind: "result"; readonly result: JsonObject }
  | { readonly kind: "input"; readonly inputRequests: JsonObject | null; readonly requestState: string }
  | { readonly kind: "task"; readonly task: TaskState; readonly ending: TaskEnding }
  | {
      readonly kind: "error";
      readonly code: ErrorCode;
      readonly message: string;
      readonly data: JsonObject;
      readonly rpc?: ServerRpcError;
    };

/** A JSON-RPC error (JSON-RPC 2.0 section 5.1), its data always an object. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: JsonObject;
}

/** What an agent is answered: a JSON-RPC `result`, or an `error` with the HTTP status it has while nothing else was said. */
export type RpcBody = { readonly result: JsonObject } | { readonly error: RpcError; readonly status: number };

/** Adds members of the gateway's own: to `result._meta`, or to `error.data` beside its `error_code`. */
export function withGatewayMembers(body: RpcBody, members: JsonObject): RpcBody {
  if ("error" in body) return { ...body, error: { ...body.error, data: { ...body.error.data, ...members } } };
  const { _meta: meta } = body.result;
  return { result: { ...body.result, _meta: { ...(isJsonObject(meta) ? meta : {}), ...members } } };
}

/** The outcome of a refusal by the gateway. */
export function refused(code: ErrorCode, message: string): Extract<Outcome, { kind: "error" }> {
  return { kind: "error", code, message, data: { error_code: code } };
}
