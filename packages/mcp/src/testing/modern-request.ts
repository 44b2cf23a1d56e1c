import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { encodeHeaderValue } from "../modern/header-value.ts";

/** The envelope of a well-behaved client. */
export const ENVELOPE: JsonObject = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "agent", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** What a test changes about a well-formed modern request. A header or member that is `null` is left out. */
export interface ChangeListeners {
  readonly id?: string | number;
  readonly params?: JsonObject;
  readonly meta?: Readonly<Record<string, JsonValue | undefined>>;
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly signal?: AbortSignal;
}

/** A request of the modern era over HTTP, well-formed but for the changes. */
export function modernRequest(
  method: string,
  { id = 1, params = {}, meta = {}, headers = {}, signal }: ChangeListeners = {},
): Request {
  const envelope = Object.fromEntries(
    Object.entries({ ...ENVELOPE, ...meta }).filter(([, value]) => value !== undefined),
  );
  const name = params.name ?? params.taskId;
  const named = typeof name === "string" ? { "mcp-name": encodeHeaderValue(name) } : {};
  const all = {
    "content-type": "application/json",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...named,
    ...headers,
  };
  const kept = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null);
  return new Request("http://gateway/mcp", {
    method: "POST",
    headers: kept,
    body: JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: envelope } }),
    signal: signal ?? null,
  });
}
