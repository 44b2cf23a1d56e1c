import assert from "node:assert/strict";
import { auditBundleSchema, type AuditBundle } from "@cmcp/audit/schema";
import { claimSchema, type Claim } from "@cmcp/claim/schema";
import type { RpcReply } from "./fixture.ts";
import type { Gateway } from "./gateway.ts";
import { PATIENCE } from "./launcher.ts";

/** One agent of a gateway, and the auditor of its sessions. */
export interface Client {
  /** A plain JSON-RPC request. */
  rpc(method: string, params: object): Promise<{ status: number; body: RpcReply }>;
  /** One tools/call in a labelled session. */
  call(tool: string, label: string, args?: object, context?: object): Promise<{ status: number; body: RpcReply }>;
  json(path: string): Promise<Record<string, unknown>>;
  export(sessionId: string): Promise<AuditBundle>;
  close(sessionId: string): Promise<Claim>;
}

/** A client of a running gateway with this token. */
export function clientOf(gateway: Gateway, token: string): Client {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const rpc: Client["rpc"] = async (method, params) => {
    const response = await fetch(gateway.mcp, {
      method: "POST",
      headers,
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    return { status: response.status, body: (await response.json()) as RpcReply };
  };
  const get = async (path: string, method = "GET"): Promise<unknown> => {
    const response = await fetch(`${gateway.url}${path}`, { method, headers });
    assert.equal(response.status, 200, path);
    return await response.json();
  };
  return {
    rpc,
    call: (tool, label, args = {}, context = {}) =>
      rpc("tools/call", { name: tool, arguments: args, _cmcp: { session_id: label, ...context } }),
    json: async (path) => (await get(path)) as Record<string, unknown>,
    export: async (sessionId) => auditBundleSchema.parse(await get(`/audit/export?session_id=${sessionId}`)),
    close: async (sessionId) => claimSchema.parse(await get(`/sessions/${sessionId}/close`, "POST")),
  };
}

/** Waits until the gateway has logged this so many times. */
export async function logged(gateway: Gateway, pattern: RegExp, times = 1): Promise<void> {
  const count = (): number =>
    gateway
      .log()
      .split("\n")
      .filter((line) => pattern.test(line)).length;
  for (const deadline = Date.now() + 15_000 * PATIENCE; count() < times; ) {
    assert.ok(Date.now() < deadline, `the gateway logged ${pattern} ${count()} times, not ${times}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
