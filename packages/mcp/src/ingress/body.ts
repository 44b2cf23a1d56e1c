import { DEFAULT_JSON_LIMITS, asCmcpError, parseJson, untrusted, type JsonValue } from "@cmcp/boundary";
import { RPC } from "../jsonrpc/reply.ts";
import type { HttpRequest } from "./http-request.ts";
import { Refusal } from "./refusal.ts";

function tooLarge(maxBytes: number): Refusal {
  return new Refusal("MCP_PAYLOAD_TOO_LARGE", RPC.invalidRequest, `the request body is larger than ${maxBytes} bytes`);
}

/** Reads at most `maxBytes` of the body, which stay counted; stops reading where the limit is passed. */
async function readBytes(request: HttpRequest, maxBytes: number): Promise<Uint8Array> {
  // The host may lie about the length, so the header only saves reading; the count below is what holds.
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const add = (chunk: Uint8Array): void => {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(maxBytes);
    request.buffered?.take(chunk.byteLength);
    chunks.push(chunk);
  };
  if (request.body === null) return new Uint8Array();
  try {
    const whole = request.whole?.() ?? null;
    if (whole !== null) for (const chunk of whole) add(chunk);
    // Leaving the loop early cancels the stream.
    else for await (const chunk of request.body) add(chunk);
  } catch (thrown) {
    throw asCmcpError(thrown, "REQUEST_CANCELLED", "the request body ended early");
  }
  const [only] = chunks;
  return only?.byteLength === size ? only : Buffer.concat(chunks, size);
}

/** The body as strict JSON, and how long it was. Throws -32700 with the precise cause, or 413. */
export async function readJsonBody(
  request: HttpRequest,
  maxBytes: number,
): Promise<{ readonly value: JsonValue; readonly byteLength: number }> {
  const bytes = await readBytes(request, maxBytes);
  try {
    return { value: parseJson(untrusted(bytes), { ...DEFAULT_JSON_LIMITS, maxBytes }), byteLength: bytes.byteLength };
  } catch (thrown) {
    const cause = asCmcpError(thrown, "JSON_SYNTAX", "the request body is not JSON");
    throw new Refusal(
      "MCP_PARSE_FAILURE",
      RPC.parseError,
      `the request body is not acceptable JSON: ${cause.message}`,
      {
        data: { cause_code: cause.code },
        cause,
      },
    );
  }
}
