import type { Gateway } from "./gateway.ts";

/** The two streams of one agent on which it hears of changes. */
export interface ListeningStreams {
  /** Of a session that was opened for it. */
  readonly legacy: Response;
  /** A subscription with the id 7. */
  readonly modern: Response;
}

/** Listens in both eras. @throws when a stream is not opened */
export async function listenInBothEras(gateway: Pick<Gateway, "mcp">, token: string): Promise<ListeningStreams> {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  };
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "agent", version: "1" } },
  };
  const opened = await fetch(gateway.mcp, { method: "POST", headers, body: JSON.stringify(initialize) });
  await opened.text();
  const legacy = await fetch(gateway.mcp, {
    headers: { ...headers, "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" },
  });
  const listen = {
    jsonrpc: "2.0",
    id: 7,
    method: "subscriptions/listen",
    params: {
      notifications: { toolsListChanged: true },
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  };
  const modern = await fetch(gateway.mcp, {
    method: "POST",
    headers: { ...headers, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" },
    body: JSON.stringify(listen),
  });
  if (legacy.status !== 200 || modern.status !== 200)
    throw new Error(`streams were not opened: ${legacy.status}, ${modern.status}`);
  return { legacy, modern };
}
