import type { IncomingMessage, ServerResponse } from "node:http";
import type { CmcpError } from "@cmcp/boundary";
import { LINGER_BYTES, LINGER_MS } from "./limits.ts";
import { isMcpRoute } from "./routes.ts";

/** The JSON text of an error: a JSON-RPC error without id on MCP routes, `{error}` elsewhere. */
export function errorBody(error: CmcpError, route: string): string {
  const { code, message, action } = error;
  return isMcpRoute(route)
    ? JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32000, message, data: { error_code: code, action } } })
    : JSON.stringify({ error: { code, message, action } });
}

/**
 * Answers a request with an error before any response head was sent.
 *
 * When the agent is still sending, the whole answer goes out first. The rest of the body is read away within bounds
 * before the connection closes. Closing with unread bytes makes the kernel reset the connection, and the agent would
 * lose the answer that says why.
 */
export function sendError(incoming: IncomingMessage, outgoing: ServerResponse, error: CmcpError, route: string): void {
  const body = Buffer.from(errorBody(error, route));
  const unread = !incoming.complete;
  outgoing.writeHead(error.httpStatus, {
    "content-type": "application/json",
    "content-length": body.length,
    "cache-control": "no-store",
    ...(unread && { connection: "close" }),
  });
  if (unread) {
    outgoing.write(body);
    discardBody(incoming, outgoing);
  } else outgoing.end(body);
}

/** Discards the rest of a request body within bounds, then ends the response and closes the connection. */
export function discardBody(incoming: IncomingMessage, outgoing: ServerResponse): void {
  let discarded = 0;
  const finish = (): void => {
    clearTimeout(timer);
    outgoing.end();
  };
  const timer = setTimeout(finish, LINGER_MS);
  incoming.on("data", (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > LINGER_BYTES) finish();
  });
  incoming.once("end", finish).once("close", finish).resume();
}
