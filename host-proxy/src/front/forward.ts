import type { IncomingMessage, ServerResponse } from "node:http";
import { CmcpError, examine, type ErrorCode } from "@cmcp/boundary";
import type { OutgoingExchange, ResponseHead } from "@cmcp/wire";
import { drained } from "../drained.ts";
import type { EnclaveLink } from "../link/enclave-link.ts";
import { linkError } from "../link/link-error.ts";
import type { Log } from "../log.ts";
import { readAway, sendError } from "./error-reply.ts";
import { responseHeaders } from "./headers.ts";
import type { FrontLimits } from "./limits.ts";
import { payloadTooLarge, requestOpening } from "./request-opening.ts";
import type { ForwardedRoute } from "./routes.ts";

/** What a request is forwarded with. */
export interface Forwarding {
  readonly link: EnclaveLink;
  readonly limits: FrontLimits;
  readonly log: Log;
  /** The header in which the proxy before this host reports client certificates; without it the host reports none. */
  readonly identityHeader?: string;
}

/** One agent request as node:http gave it, and the pattern and path it was routed by. */
export interface RoutedRequest {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly route: ForwardedRoute;
  readonly path: string;
}

/**
 * Turns one agent request into one exchange and its answer into the response. What goes wrong before a
 * response head becomes a typed JSON answer; after it the connection is cut, so that a truncated body
 * never looks whole. An agent that goes away aborts the exchange.
 */
export async function forward(request: RoutedRequest, forwarding: Forwarding): Promise<void> {
  const { incoming, outgoing, route } = request;
  const started = performance.now();
  const gone = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  let code: ErrorCode | undefined;
  try {
    await converse(request, forwarding, gone.signal);
  } catch (thrown) {
    const error = gone.signal.aborted || incoming.errored !== null ? new CmcpError("REQUEST_CANCELLED", "the agent went away") : linkError(thrown);
    code = error.code;
    if (outgoing.headersSent || outgoing.destroyed) outgoing.destroy();
    else sendError(incoming, outgoing, error, route);
  }
  const { statusCode: status } = outgoing;
  const line = { route, method: incoming.method, status, code, durationMs: Math.round(performance.now() - started) };
  const cut = code !== undefined && code !== "REQUEST_CANCELLED" && outgoing.destroyed;
  if (status >= 500 || cut) forwarding.log.warn("request failed", line);
  else forwarding.log.debug("request", line);
}

async function converse(request: RoutedRequest, { link, limits, identityHeader }: Forwarding, gone: AbortSignal): Promise<void> {
  const exchange = await link.open(requestOpening(request.incoming, request.path, limits, identityHeader), gone);
  try {
    const upload = sendBody(request.incoming, exchange, limits.bodyBytes);
    // A refused upload decides at once; a finished or cut one leaves the word to the answer.
    const head = await within(limits.answerMs, Promise.race([exchange.head, upload.then(() => exchange.head)]));
    await sendResponse(request, head, exchange, limits, gone);
  } catch (thrown) {
    exchange.abort();
    throw thrown;
  }
}

/**
 * Sends the request body and its end. Resolves also when the exchange stops taking bytes: then its
 * answer, which may have come early, says why.
 * @throws MCP_PAYLOAD_TOO_LARGE once more than `limit` bytes have come
 */
async function sendBody(incoming: IncomingMessage, exchange: OutgoingExchange, limit: number): Promise<void> {
  let received = 0;
  const declared = Number(incoming.headers["content-length"]);
  // Leaving the loop early must not destroy the connection the answer still has to take.
  for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    received += chunk.length;
    if (received > limit) throw payloadTooLarge(limit);
    if (!(await taken(exchange.write(chunk)))) return;
    // node:http says that a body is over only in a later turn; by its length (RFC 9112 section 6.2) its end goes with its last bytes.
    if (received === declared) await taken(exchange.end());
  }
  await taken(exchange.end());
}

function taken(sent: Promise<void>): Promise<boolean> {
  return sent.then(
    () => true,
    () => false,
  );
}

async function sendResponse(request: RoutedRequest, head: ResponseHead, exchange: OutgoingExchange, limits: FrontLimits, gone: AbortSignal): Promise<void> {
  const { incoming, outgoing } = request;
  // An answer before the whole body has come ends the connection, as the rest cannot be told from a next request's.
  const early = !incoming.complete;
  outgoing.writeHead(head.status, { ...responseHeaders(head.headers), ...(early && { connection: "close" }) });
  if (head.headers["content-type"]?.startsWith("text/event-stream") === true) outgoing.flushHeaders();
  for await (const part of exchange.body) {
    if (!outgoing.write(examine(part))) await within(limits.stallMs, drained(outgoing, gone));
  }
  if (!early) outgoing.end();
  else {
    exchange.abort();
    readAway(incoming, outgoing);
  }
}

/** @throws ENCLAVE_UNAVAILABLE when `wait` takes longer than `milliseconds` */
async function within<T>(milliseconds: number, wait: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CmcpError("ENCLAVE_UNAVAILABLE", `no progress within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([wait, expired]);
  } finally {
    clearTimeout(timer);
  }
}
