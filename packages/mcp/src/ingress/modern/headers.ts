import { decodeHeaderValue } from "../../modern/header-value.ts";
import { NAMED_BY } from "../../protocol/methods.ts";
import type { RpcNotification, RpcRequest } from "../../jsonrpc/message.ts";
import { RPC } from "../../jsonrpc/reply.ts";
import { Refusal } from "../refusal.ts";
import type { RequestHeaders } from "../http-request.ts";

/** -32020: the body is the truth, and a header that says otherwise was changed or never checked. */
export function headerMismatch(header: string, problem: string): Refusal {
  return new Refusal("MCP_HEADER_MISMATCH", RPC.headerMismatch, `${header} ${problem}`, { data: { header } });
}

function checkHeader(headers: RequestHeaders, name: string, body: string, required: boolean): void {
  const value = headers.get(name.toLowerCase());
  if (value === null ? required : value !== body)
    throw headerMismatch(name, value === null ? "is required and missing" : "differs from the request's body");
}

/** Holds `MCP-Protocol-Version` against the envelope's version. Throws -32020. */
export function checkVersionHeader(headers: RequestHeaders, version: string, required: boolean): void {
  checkHeader(headers, "MCP-Protocol-Version", version, required);
}

/**
 * Holds `Mcp-Method` and `Mcp-Name` against the body: a request needs them, a notification may do without.
 * Values are compared as they are written, in their case. Throws -32020.
 */
export function checkBodyHeaders(headers: RequestHeaders, message: RpcRequest | RpcNotification): void {
  checkHeader(headers, "Mcp-Method", message.method, message.kind === "request");
  const source = NAMED_BY.get(message.method);
  const body = source === undefined ? undefined : message.params?.[source];
  // A name of another type is for the method itself to refuse.
  if (typeof body !== "string") return;
  const name = headers.get("mcp-name");
  if (name === null && message.kind === "notification") return;
  if (name === null) throw headerMismatch("Mcp-Name", "is required and missing");
  const decoded = decodeHeaderValue(name);
  if (decoded !== body)
    throw headerMismatch(
      "Mcp-Name",
      decoded === null ? "is not valid base64 between its markers" : "differs from the request's body",
    );
}
