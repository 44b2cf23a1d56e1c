import type { IncomingMessage, ServerResponse } from "node:http";
import { CmcpError, examine, type ErrorCode, type Untrusted } from "@cmcp/boundary";
import type { OutgoingExchange, ResponseHead } from "@cmcp/wire";
import { waitForDrain } from "../wait-for-drain.ts";
import type { EnclaveLink } from "../link/enclave-link.ts";
import { linkError } from "../link/link-error.ts";
import type { Log } from "../log.ts";
import { discardBody, sendError } from "./error-reply.ts";
import { responseHeaders } from "./headers.ts";
import type { FrontLimits } from "./limits.ts";
import { requestOpening } from "./request-opening.ts";
import type { ForwardedRoute } from "./routes.ts";
import { sendBody } from "./upload.ts";

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
    const error =
      gone.signal.aborted || incoming.errored !== null
        ? new CmcpError("REQUEST_CANCELLED", "the agent disconnected")
        : linkError(thrown);
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

async function converse(
  request: RoutedRequest,
  { link, limits, identityHeader }: Forwarding,
  gone: AbortSignal,
): Promise<void> {
  const exchange = await link.open(requestOpening(request.incoming, request.path, limits, identityHeader), gone);
  try {
    const upload = sendBody(request.incoming, exchange, limits.bodyBytes);
    // A refused upload decides at once; a finished or cut one leaves the word to the answer.
    const head = await awaitHead(exchange, upload, limits.answerMs);
    await sendResponse(request, { head, exchange }, limits, gone);
  } catch (thrown) {
    exchange.abort();
    throw thrown;
  }
}

/** The head of an enclave's answer, and the exchange its body comes from. */
interface Answer {
  readonly head: ResponseHead;
  readonly exchange: OutgoingExchange;
}

async function sendResponse(
  request: RoutedRequest,
  { head, exchange }: Answer,
  limits: FrontLimits,
  gone: AbortSignal,
): Promise<void> {
  const { incoming, outgoing } = request;
  // An answer before the whole body has come ends the connection, as the rest cannot be told from a next request's.
  const early = !incoming.complete;
  const whole = early ? null : exchange.body.whole();
  outgoing.writeHead(head.status, {
    ...responseHeaders(head.headers),
    ...(early && { connection: "close" }),
    ...(whole !== null && lengthOf(head, whole)),
  });
  if (whole === null && head.headers["content-type"]?.startsWith("text/event-stream") === true) outgoing.flushHeaders();
  for await (const part of whole ?? exchange.body) {
    if (!outgoing.write(examine(part))) await within(limits.stallMs, waitForDrain(outgoing, gone));
  }
  if (!early) outgoing.end();
  else {
    exchange.abort();
    discardBody(incoming, outgoing);
  }
}

/** Statuses without content, whose length is not said (RFC 9110 section 8.6). */
const WITHOUT_CONTENT: ReadonlySet<number> = new Set([204, 304]);

/** The header that says how long an answer is that has come whole. */
function lengthOf({ status }: ResponseHead, whole: readonly Untrusted<Uint8Array>[]): Record<string, string> {
  if (WITHOUT_CONTENT.has(status)) return {};
  return { "content-length": String(whole.reduce((length, part) => length + examine(part).length, 0)) };
}

/**
 * The answer's head.
 * @throws what makes the upload or the exchange fail; ENCLAVE_UNAVAILABLE when neither comes within `milliseconds`
 */
function awaitHead(exchange: OutgoingExchange, upload: Promise<void>, milliseconds: number): Promise<ResponseHead> {
  return new Promise((resolve, reject) => {
    const expired = setTimeout(() => reject(noProgress(milliseconds)), milliseconds);
    const failed = (thrown: unknown): void => {
      clearTimeout(expired);
      reject(thrown);
    };
    exchange.head.then((head) => {
      clearTimeout(expired);
      resolve(head);
    }, failed);
    upload.catch(failed);
  });
}

function noProgress(milliseconds: number): CmcpError {
  return new CmcpError("ENCLAVE_UNAVAILABLE", `no progress within ${milliseconds} ms`);
}

/** @throws ENCLAVE_UNAVAILABLE when `wait` takes longer than `milliseconds` */
async function within<T>(milliseconds: number, wait: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(noProgress(milliseconds)), milliseconds);
  });
  try {
    return await Promise.race([wait, expired]);
  } finally {
    clearTimeout(timer);
  }
}
