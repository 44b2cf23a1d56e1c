import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { invalidParams, invalidRequest } from "./refusal.ts";
import type { RequestHeaders } from "./http-request.ts";

/** What a caller says about itself beside the MCP message. Every field is its own wish, checked by the gateway. */
export interface CallerContext {
  /** `_cmcp.session_id`: a label private to the principal. */
  readonly label: string | null;
  readonly workflowId: string | null;
  readonly dataClass: string | null;
}

const MAX_TEXT = 256;
const FIELDS = ["session_id", "workflow_id", "data_class"];

function text(name: string, value: JsonValue | undefined): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string" || value === "" || value.length > MAX_TEXT) {
    throw invalidParams(`_cmcp.${name} must be a string of 1 to ${MAX_TEXT} characters`);
  }
  return value;
}

/** `X-MCP-Workflow-ID`: the host could change it, so it may repeat the body and never overrule it. */
function workflow(headers: RequestHeaders, fromBody: string | null): string | null {
  const header = headers.get("x-mcp-workflow-id");
  if (header === null) return fromBody;
  if (header === "" || header.length > MAX_TEXT)
    throw invalidRequest(`X-MCP-Workflow-ID must have 1 to ${MAX_TEXT} characters`);
  if (fromBody !== null && fromBody !== header)
    throw invalidRequest("X-MCP-Workflow-ID differs from _cmcp.workflow_id");
  return header;
}

/** Most parameters have no `_cmcp`, and are not copied to leave it out. */
function apart(params: JsonObject): { own?: JsonValue; rest: JsonObject } {
  if (!Object.hasOwn(params, "_cmcp")) return { rest: params };
  const { _cmcp: own, ...rest } = params;
  return { ...(own === undefined ? {} : { own }), rest };
}

/** Takes `_cmcp` out of the parameters, so that nothing of it can go on to a tool. */
export function takeCallerContext(
  headers: RequestHeaders,
  params: JsonObject | null,
): { context: CallerContext; params: JsonObject } {
  const { own, rest } = apart(params ?? {});
  if (own !== undefined && !isJsonObject(own)) throw invalidParams("_cmcp must be an object");
  const unknown = Object.keys(own ?? {}).some((key) => !FIELDS.includes(key));
  if (unknown) throw invalidParams(`_cmcp may have ${FIELDS.join(", ")} and nothing else`);
  const context = {
    label: text("session_id", own?.session_id),
    workflowId: workflow(headers, text("workflow_id", own?.workflow_id)),
    dataClass: text("data_class", own?.data_class),
  };
  return { context, params: rest };
}
