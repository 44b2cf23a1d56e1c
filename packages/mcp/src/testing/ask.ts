import assert from "node:assert/strict";
import type { JsonObject } from "@cmcp/boundary";
import type { HttpRequest } from "../index.ts";
import { webEndpoint, type WebEndpoint } from "./web-endpoint.ts";
import { TestGateway } from "./gateway.ts";

/** Two principals. */
export const alice = { principalId: "alice" };
export const bob = { principalId: "bob" };

/** An answer with its JSON-RPC body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { id?: unknown; result?: JsonObject; error?: { code: number; message: string; data: JsonObject } };
}

/** Asks the endpoint as `caller`. */
export async function ask(endpoint: WebEndpoint, request: HttpRequest, caller = alice): Promise<Answer> {
  const response = await endpoint(request, caller);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? {} : (JSON.parse(text) as Answer["body"]),
  };
}

export type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

/** A POST of JSON, or of bytes as they are. */
export function post(
  body: Body | object,
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
): Request {
  const raw = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
  const sent = raw ? body : JSON.stringify(body);
  return new Request("http://gateway/mcp", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: sent,
    duplex: "half",
    signal,
  });
}

/** A request. */
export const rpc = (method: string, params?: object, id: string | number = 1): object => ({
  jsonrpc: "2.0",
  id,
  method,
  ...(params === undefined ? {} : { params }),
});
/** A call of the test's tool. */
export const call = (params: object = {}, id: string | number = 1): object =>
  rpc("tools/call", { name: "tool", ...params }, id);
/** What an agent says at `initialize`. */
export const initializeParams = (protocolVersion: string): object => ({
  protocolVersion,
  capabilities: {},
  clientInfo: { name: "agent", version: "1" },
});

/** An endpoint and the gateway behind it. */
export function start(): { gateway: TestGateway; endpoint: WebEndpoint } {
  const gateway = new TestGateway();
  return { gateway, endpoint: webEndpoint(gateway) };
}

/** A session opened by `initialize`, and the headers that go with it. */
export async function initialized(endpoint: WebEndpoint, version = "2025-11-25"): Promise<Record<string, string>> {
  const { headers } = await ask(endpoint, post(rpc("initialize", initializeParams(version))));
  return { "mcp-session-id": headers.get("mcp-session-id") ?? "", "mcp-protocol-version": version };
}

export function assertRefused(
  answer: Answer,
  expected: { status: number; rpc: number; code: string; id?: unknown },
): void {
  const { error, id } = answer.body;
  assert.deepEqual(
    { status: answer.status, rpc: error?.code, code: error?.data.error_code, id },
    { id: null, ...expected },
  );
}
