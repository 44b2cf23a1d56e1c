import { CmcpError, asCmcpError, examine, untrusted, type Untrusted } from "@cmcp/boundary";
import type { HttpRequest } from "@cmcp/mcp";
import { reportFault } from "./report-fault.ts";
import type { IncomingExchange, Opening } from "@cmcp/wire";

/** The agent's request as the host forwarded it; every byte is the host's or the agent's word. */
function toRequest({ method, path, headers }: Extract<Opening, { t: "request" }>, { body, signal }: IncomingExchange): HttpRequest {
  const hasBody = method !== "GET" && method !== "HEAD";
  return { method, url: `http://enclave.invalid${path}`, headers: new Headers(headers), body: hasBody ? bytesOf(body) : null, signal };
}

async function* bytesOf(body: AsyncIterable<Untrusted<Uint8Array>>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) yield examine(chunk);
}

/** Runs a handler behind one wire exchange. */
export async function answer(exchange: IncomingExchange, opening: Extract<Opening, { t: "request" }>, handle: (request: HttpRequest) => Promise<Response>): Promise<void> {
  let response: Response;
  try {
    response = await handle(toRequest(opening, exchange));
  } catch (thrown) {
    const error = asCmcpError(thrown, "INTERNAL", "the gateway could not handle the request");
    if (error.code === "INTERNAL") reportFault(error);
    await exchange.fail(error.code, error.message);
    return;
  }
  await exchange.respond({ status: response.status, headers: Object.fromEntries(response.headers) });
  if (response.body !== null) {
    for await (const chunk of response.body) await exchange.write(chunk);
  }
  await exchange.end();
}

/** Reads a control message whole. @throws CmcpError `WIRE_FRAME_TOO_LARGE` over `maxBytes`. */
export async function readWhole(exchange: IncomingExchange, maxBytes: number): Promise<Untrusted<Uint8Array>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of exchange.body) {
    const bytes = examine(chunk);
    size += bytes.byteLength;
    if (size > maxBytes) throw new CmcpError("WIRE_FRAME_TOO_LARGE", `a control message is larger than ${maxBytes} bytes`);
    chunks.push(bytes);
  }
  return untrusted(new Uint8Array(Buffer.concat(chunks)));
}
