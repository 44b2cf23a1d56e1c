/**
 * What a call's entry commits to of its messages (the claim's SPEC, "Payload hashes"). The gateway, and whoever opens its commitments, make
 * the texts by the same rules.
 */
import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { claimsEnvelope } from "../ingress/modern/envelope.ts";
import { governedMethod, isGoverned, methodOf, readRequest, type GovernedMethod } from "./methods.ts";
import type { RpcBody } from "./outcome.ts";
import type { RequestContent } from "./request.ts";

/** Names of members that only the gateway attaches begin so. */
const GATEWAY_PREFIX = "cmcp.gateway/";
/** What belongs to a refused tool call itself, and is attached to nothing. */
const OF_THE_CALL = `${GATEWAY_PREFIX}error`;
/** Members that the gateway attaches to an error's `data`. */
const BESIDE_ERROR: readonly string[] = ["call_id", "receipt", "salts", "claim"];

/** Whether a method reaches a server, so that its answer has a receipt. */
export function reachesServer(method: string): boolean {
  const row = methodOf(method);
  return row !== undefined && isGoverned(row);
}

/** A request as it leaves the gateway, but under the ids of task and state that the agent knows. */
export function committedRequest(request: RequestContent & { readonly method: GovernedMethod }): JsonObject {
  const { method, name, input } = request;
  return { method, params: governedMethod(method).upstream({ request, taskId: name, input }) };
}

/**
 * The same of a request as its agent writes it.
 *
 * @returns `null` for a method that reaches no server, and for parameters that the gateway refuses
 */
export function committedRequestOf({ method, params }: JsonObject): JsonObject | null {
  const row = typeof method === "string" ? methodOf(method) : undefined;
  if (row === undefined || !isGoverned(row)) return null;
  const { _cmcp: _, ...rest } = isJsonObject(params) ? params : {};
  try {
    return committedRequest(readRequest(row, rest, claimsEnvelope(rest) ? "modern" : "legacy-tasks"));
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return null;
  }
}

/** A call's last message, before the gateway attaches its members. */
export function committedMessage(body: RpcBody): JsonObject {
  return "result" in body ? { result: body.result } : { error: { ...body.error } };
}

/**
 * The same of an answer as its agent gets it.
 *
 * @param answer a JSON-RPC message with `result` or `error`
 */
export function committedMessageOf({ result, error }: JsonObject): JsonObject {
  if (isJsonObject(result)) {
    const { _meta: meta, ...rest } = result;
    const own = isJsonObject(meta) ? without(meta, isAttached) : {};
    return { result: Object.keys(own).length === 0 ? rest : { ...rest, _meta: own } };
  }
  if (!isJsonObject(error) || !isJsonObject(error.data)) return { error: error ?? null };
  const data = without(error.data, (name) => BESIDE_ERROR.includes(name) || isAttached(name));
  return { error: { ...error, data } };
}

function isAttached(name: string): boolean {
  return name.startsWith(GATEWAY_PREFIX) && name !== OF_THE_CALL;
}

function without(members: JsonObject, isLeftOut: (name: string) => boolean): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !isLeftOut(name)));
}
