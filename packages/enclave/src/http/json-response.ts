import { setImmediate } from "node:timers/promises";
import type { CmcpError } from "@cmcp/boundary";
import type { HttpResponse } from "@cmcp/mcp";

const HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

/** A JSON reply that no cache may keep. */
export function json(body: object, status = 200, headers: Record<string, string> = {}): HttpResponse {
  return { status, headers: { ...HEADERS, ...headers }, body: JSON.stringify(body) };
}

/** A large one, made piece by piece while others have their turns. */
export function jsonInPieces(pieces: Iterable<string>): HttpResponse {
  return { status: 200, headers: HEADERS, body: inTurns(pieces) };
}

async function* inTurns(pieces: Iterable<string>): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    yield Buffer.from(piece);
    await setImmediate();
  }
}

/** An error as this gateway's own endpoints answer it: code, message, action. */
export function errorJson(error: CmcpError, headers: Record<string, string> = {}): HttpResponse {
  return json({ error: { code: error.code, message: error.message, action: error.action } }, error.httpStatus, headers);
}

/** The same error as JSON-RPC, for a path whose clients read nothing else. */
export function errorJsonRpc(error: CmcpError, headers: Record<string, string> = {}): HttpResponse {
  return json(
    {
      jsonrpc: "2.0",
      id: null,
      error: { code: -32000, message: error.message, data: { error_code: error.code, action: error.action } },
    },
    error.httpStatus,
    headers,
  );
}
