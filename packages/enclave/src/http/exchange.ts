import {
  CmcpError,
  asCmcpError,
  examine,
  untrusted,
  type BufferShare,
  type BufferedBytes,
  type Untrusted,
} from "@cmcp/boundary";
import type { HttpRequest, HttpResponse, RequestHeaders } from "@cmcp/mcp";
import { reportFault } from "../instance/stderr-events.ts";
import type { IncomingExchange, Opening } from "@cmcp/wire";

/** The header fields of a request. The wire format has lower-case names, each once. */
class WireHeaders implements RequestHeaders {
  readonly #fields: Readonly<Record<string, string>>;

  constructor(fields: Readonly<Record<string, string>>) {
    this.#fields = fields;
  }

  get(name: string): string | null {
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? null) : null;
  }
}

/** The base for parsing paths. No request goes there. */
const REQUEST_ORIGIN = "http://enclave.invalid";

/** The agent's request as the host forwarded it. Host and agent control every byte. */
function toRequest(
  { method, path, headers }: Extract<Opening, { t: "request" }>,
  { body, signal }: IncomingExchange,
  buffered: BufferShare,
): HttpRequest {
  const hasBody = method !== "GET" && method !== "HEAD";
  return {
    method,
    url: `${REQUEST_ORIGIN}${path}`,
    headers: new WireHeaders(headers),
    body: hasBody ? bytesOf(body) : null,
    whole: () => body.whole()?.map((chunk) => examine(chunk)) ?? null,
    signal,
    buffered,
  };
}

async function* bytesOf(body: AsyncIterable<Untrusted<Uint8Array>>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) yield examine(chunk);
}

/** The holder of buffered bytes before authentication. */
const UNAUTHENTICATED_HOLDER = "nobody";

/** Answers one wire exchange with a handler. `buffered` counts the bytes that the gateway holds for it until it ends. */
export async function answer(
  exchange: IncomingExchange,
  opening: Extract<Opening, { t: "request" }>,
  handle: (request: HttpRequest) => Promise<HttpResponse>,
  buffered: BufferedBytes,
): Promise<void> {
  const share = buffered.share(UNAUTHENTICATED_HOLDER);
  try {
    const response = await responseOf(toRequest(opening, exchange, share), handle);
    if (response instanceof CmcpError) return await exchange.fail(response.code, response.message);
    const { status, headers, body } = response;
    // A response in one piece is held until the agent has read all of it. Without room for it, `take` throws.
    const whole = typeof body === "string" ? Buffer.from(body) : null;
    share.take(whole?.byteLength ?? 0);
    await exchange.respond({ status, headers });
    if (whole !== null) await exchange.write(whole);
    else if (typeof body !== "string") for await (const chunk of body ?? []) await exchange.write(chunk);
    await exchange.end();
  } finally {
    share.free();
  }
}

async function responseOf(
  request: HttpRequest,
  handle: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<HttpResponse | CmcpError> {
  try {
    return await handle(request);
  } catch (thrown) {
    const error = asCmcpError(thrown, "INTERNAL", "the gateway could not handle the request");
    if (error.code === "INTERNAL") reportFault(error);
    return error;
  }
}

/** Reads a whole control message. @throws CmcpError `WIRE_FRAME_TOO_LARGE` over `maxBytes`. */
export async function readWhole(exchange: IncomingExchange, maxBytes: number): Promise<Untrusted<Uint8Array>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of exchange.body) {
    const bytes = examine(chunk);
    size += bytes.byteLength;
    if (size > maxBytes)
      throw new CmcpError("WIRE_FRAME_TOO_LARGE", `a control message is larger than ${maxBytes} bytes`);
    chunks.push(bytes);
  }
  return untrusted(new Uint8Array(Buffer.concat(chunks)));
}
