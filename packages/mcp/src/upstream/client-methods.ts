import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { RPC } from "../jsonrpc/reply.ts";
import { UpstreamRefusal } from "./refusal.ts";

/** What a server may ask of a client, and the capability that says the client can be asked (MCP, "Capabilities"). */
export const CLIENT_METHODS: Readonly<Record<string, string>> = {
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
export function askable(capabilities: JsonObject, method: string, params: JsonObject): JsonObject {
  const declared = capabilities[CLIENT_METHODS[method] ?? ""];
  if (!isJsonObject(declared)) throw new UpstreamRefusal({ code: RPC.methodNotFound, message: "method not supported" });
  if (method === "elicitation/create" && !takesMode(declared, params.mode))
    throw new UpstreamRefusal({ code: RPC.invalidParams, message: "this mode of elicitation is not supported" });
  if (method !== "sampling/createMessage") return params;
  if ((params.tools !== undefined || params.toolChoice !== undefined) && !isJsonObject(declared.tools))
    throw new UpstreamRefusal({ code: RPC.invalidParams, message: "tools are not supported" });
  const { includeContext, ...rest } = params;
  return includeContext === undefined || isJsonObject(declared.context) ? params : rest;
}

/** MCP 2025-11-25, Elicitation, "Capabilities": who names no mode takes forms. */
function takesMode({ form, url }: JsonObject, mode: JsonValue = "form"): boolean {
  if (mode === "form") return isJsonObject(form) || url === undefined;
  return mode === "url" && isJsonObject(url);
}
