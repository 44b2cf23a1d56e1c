import { CmcpError } from "@cmcp/boundary";
import type { HttpRequest } from "@cmcp/mcp";

/**
 * The body of a request that is not an agent's call.
 * @param what names it in the error
 * @throws CmcpError `MCP_PAYLOAD_TOO_LARGE`
 */
export async function wholeBody(
  { body, buffered }: Pick<HttpRequest, "body" | "buffered">,
  maxBytes: number,
  what: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body ?? []) {
    size += piece.byteLength;
    if (size > maxBytes) throw new CmcpError("MCP_PAYLOAD_TOO_LARGE", `${what} has at most ${maxBytes} bytes`);
    buffered?.take(piece.byteLength);
    pieces.push(piece.slice());
  }
  return new Uint8Array(Buffer.concat(pieces));
}
