import assert from "node:assert/strict";
import type { JsonObject } from "@cmcp/boundary";
import { TestGateway } from "./gateway.ts";
import { modernRequest, type ChangeListeners } from "./modern-request.ts";
import { webEndpoint, type WebEndpoint } from "./web-endpoint.ts";

export const VERSION = "io.modelcontextprotocol/protocolVersion";
export const INFO = "io.modelcontextprotocol/clientInfo";
export const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
export const LOG_LEVEL = "io.modelcontextprotocol/logLevel";
export const SERVER = { "io.modelcontextprotocol/serverInfo": { name: "gateway", version: "1.2.3" } };
export const alice = { principalId: "alice" };
export const bob = { principalId: "bob" };

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { id?: unknown; result?: JsonObject; error?: { code: number; message: string; data: JsonObject } };
}

/** A gateway, and the endpoint that agents reach it by. */
export function start(maxInFlight = 64): { gateway: TestGateway; endpoint: WebEndpoint } {
  const gateway = new TestGateway();
  return { gateway, endpoint: webEndpoint(gateway, { maxBodyBytes: 100_000, maxInFlight }) };
}

/** Sends a request and reads its answer. */
export async function ask(endpoint: WebEndpoint, request: Request, caller = alice): Promise<Answer> {
  const response = await endpoint(request, caller);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? {} : (JSON.parse(text) as Answer["body"]),
  };
}

/** Any message as it stands, with any headers. */
export function raw(message: object, headers: Record<string, string> = {}): Request {
  return new Request("http://gateway/mcp", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(message),
  });
}

/** Asserts that an answer is a refusal with this status and these codes. */
export function assertRefused(
  { status, body }: Answer,
  expected: { status: number; rpc: number; code: string; id?: unknown },
  why = "",
): void {
  assert.deepEqual(
    { status, rpc: body.error?.code, code: body.error?.data.error_code, id: body.id },
    { id: 1, ...expected },
    `${why} ${JSON.stringify(body)}`,
  );
}

/** A call of the tool `tool`, with changes. */
export const call = (changes: ChangeListeners & { params?: JsonObject } = {}): Request =>
  modernRequest("tools/call", { ...changes, params: { name: "tool", ...changes.params } });
export const INVALID_PARAMS = { status: 400, rpc: -32602, code: "MCP_INVALID_REQUEST" };
export const INVALID_REQUEST = { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST" };
export const MISMATCH = { status: 400, rpc: -32020, code: "MCP_HEADER_MISMATCH" };
