import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { NAMED_BY } from "../protocol/methods.ts";
import { encodeHeaderValue } from "./header-value.ts";
import { META } from "./meta-keys.ts";

/**
 * The fields that a message of MCP 2026-07-28 needs over HTTP, from its own text; `null` for one of an earlier version, which names none.
 */
export function messageHeaders({ method, params }: JsonObject): Readonly<Record<string, string>> | null {
  if (typeof method !== "string" || !isJsonObject(params) || !isJsonObject(params._meta)) return null;
  const version = params._meta[META.protocolVersion];
  if (typeof version !== "string") return null;
  const name = params[NAMED_BY.get(method) ?? ""];
  return {
    "mcp-protocol-version": version,
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": encodeHeaderValue(name) } : {}),
  };
}
