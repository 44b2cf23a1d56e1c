import type { TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { UpstreamClient, UpstreamLimits } from "../index.ts";
import {
  ScriptedServer,
  http,
  json,
  reply,
  type Handshake,
  type Script,
  type ScriptedRequest,
} from "./scripted-server.ts";
import { forever, plainClient, toolNamed } from "./upstream.ts";

export const OK: JsonObject = { content: [{ type: "text", text: "fine" }] };
export const COMPLETE: JsonObject = { ...OK, resultType: "complete" };
export const JSON_TYPE = { "content-type": "application/json" };

/** The answer of a modern server to the probe. */
export function discovered(request: ScriptedRequest, supportedVersions: string[] = ["2026-07-28"]): string {
  return json(
    reply(request, {
      supportedVersions,
      capabilities: { tools: {} },
      resultType: "complete",
      ttlMs: 0,
      cacheScope: "private",
    }),
  );
}

/** A JSON-RPC error under an HTTP status. */
export function refusal({ message }: ScriptedRequest, status: number, code: number): string {
  return http(
    status,
    JSON_TYPE,
    JSON.stringify({ jsonrpc: "2.0", id: message.id ?? null, error: { code, message: "secret text" } }),
  );
}

/** A scripted server that is modern unless the handshake says otherwise, and a client of it. */
export async function start(
  t: TestContext,
  script: Script,
  handshake: Handshake = { discover: discovered },
  limits: Partial<UpstreamLimits> = {},
): Promise<{ server: ScriptedServer; client: UpstreamClient }> {
  const server = await ScriptedServer.start(script);
  server.handshake = handshake;
  const client = plainClient(t, server.url, server.dial, limits);
  t.after(() => server.close());
  return { server, client };
}

/** Answers every request with a result. */
export const answer =
  (result: JsonObject): Script =>
  (request, socket) =>
    void socket.write(json(reply(request, result)));
/** Calls a tool. */
export const call = (client: UpstreamClient, name = "tool", key = "s"): Promise<JsonObject> =>
  client.callTool(key, toolNamed(name), {}, forever);
/** The methods of all requests, in order. */
export const methods = (server: ScriptedServer): unknown[] => server.requests.map(({ message }) => message.method);
