import type { RpcReply } from "./fixture.ts";

/** What a test changes about a well-formed request of MCP 2026-07-28. `undefined` leaves a header or a member of the envelope out. */
export interface StatelessChanges {
  readonly id?: string | number;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly meta?: Readonly<Record<string, unknown>>;
}

const VERSION = "2026-07-28";
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": VERSION,
  "io.modelcontextprotocol/clientInfo": { name: "agent", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

function present<T>(members: Readonly<Record<string, T | undefined>>): Record<string, T> {
  return Object.fromEntries(Object.entries(members).filter((member): member is [string, T] => member[1] !== undefined));
}

/** One POST of the stateless era, written by hand: no client library stands between the test and the gateway. */
export async function stateless(
  { mcp, token }: { readonly mcp: string; readonly token: string },
  method: string,
  params: object,
  { id = 1, headers = {}, meta = {} }: StatelessChanges = {},
): Promise<{ status: number; headers: Headers; body: RpcReply }> {
  const named = (params as { readonly name?: string }).name;
  const response = await fetch(mcp, {
    method: "POST",
    headers: present({
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": VERSION,
      "mcp-method": method,
      "mcp-name": named,
      ...headers,
    }),
    body: JSON.stringify({
      jsonrpc: "2.0",
      id,
      method,
      params: { ...params, _meta: present({ ...ENVELOPE, ...meta }) },
    }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as RpcReply };
}
