import type { JsonObject, JsonValue } from "@cmcp/boundary";
import type { ClientCapabilities } from "../protocol/client-capabilities.ts";
import { RPC } from "../jsonrpc/reply.ts";
import { UpstreamRefusal } from "./refusal.ts";

/** What a server may ask of a client, and the capability that says the client can be asked (MCP, "Capabilities"). */
export const CLIENT_METHODS: Readonly<Record<string, "elicitation" | "sampling" | "roots">> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots",
};

/**
 * What a server asks, as a client with these capabilities can be asked it: without `includeContext` where it declared none,
 * which a client may leave unheeded (MCP 2025-11-25, "CreateMessageRequestParams").
 * @throws UpstreamRefusal what the client would answer, as it did not declare that it can be asked this: -32601, or -32602 for
 * a mode of elicitation (MCP 2025-11-25, Elicitation, "Error Handling") or tools for sampling
 */
export function askableParams(capabilities: ClientCapabilities, method: string, params: JsonObject): JsonObject {
  const capability = CLIENT_METHODS[method];
  const declared = capability === undefined ? undefined : capabilities[capability];
  if (declared === undefined) throw new UpstreamRefusal({ code: RPC.methodNotFound, message: "method not supported" });
  if (method === "elicitation/create" && !takesMode(capabilities.elicitation, params.mode))
    throw new UpstreamRefusal({ code: RPC.invalidParams, message: "this mode of elicitation is not supported" });
  if (method !== "sampling/createMessage") return params;
  if ((params.tools !== undefined || params.toolChoice !== undefined) && capabilities.sampling?.tools === undefined)
    throw new UpstreamRefusal({ code: RPC.invalidParams, message: "tools are not supported" });
  const { includeContext, ...rest } = params;
  return includeContext === undefined || capabilities.sampling?.context !== undefined ? params : rest;
}

/** MCP 2025-11-25, Elicitation, "Capabilities": who names no mode takes forms. */
function takesMode({ form, url }: ClientCapabilities["elicitation"] = {}, mode: JsonValue = "form"): boolean {
  if (mode === "form") return form !== undefined || url === undefined;
  return mode === "url" && url !== undefined;
}
