import { CmcpError, asCmcpError } from "@cmcp/boundary";
import { AbortScope } from "../../abort-scope.ts";
import { raceAbort } from "../abort.ts";
import type { ServerAuthentication } from "../authentication.ts";
import type { ExchangeCaller, HttpExchange } from "../exchange.ts";
import { Exchanges, endpointOf } from "../exchanges.ts";
import { protocolFault, upstreamFault } from "../fault.ts";
import { readEvents } from "../answer.ts";
import { listeningLimits } from "../listening.ts";
import { DEFAULT_UPSTREAM_LIMITS, type UpstreamLimits, type UpstreamOptions } from "../options.ts";
import { createPool } from "../pool.ts";
import type { OpenChannel, Receiver } from "./channel.ts";

/** Streams of one server that may stay open; each session holds one. */
const MAX_STREAMS = 256;

/** Where messages go: the same server, wherever it says that is. @throws CmcpError `UPSTREAM_PROTOCOL_ERROR` for another server */
function endpointPath(url: URL, said: string): string {
  const endpoint = URL.parse(said, url.href);
  if (endpoint === null || endpoint.origin !== url.origin)
    throw protocolFault("the tool server's endpoint is at another server");
  return endpoint.pathname + endpoint.search;
}

/** The server's event stream while it is read. */
interface ServerStream {
  /** Where messages are posted. Rejects when the stream is over before the server says it. */
  readonly endpoint: Promise<string>;
  /** Why it is over. Never rejects. */
  readonly closed: Promise<CmcpError>;
}

/** Reads the stream to its end, one message after the other. */
function readStream(exchange: HttpExchange, receiver: Receiver, url: URL, maxBytes: number): ServerStream {
  const endpoint = Promise.withResolvers<string>();
  const closed = Promise.withResolvers<CmcpError>();
  const read = async (): Promise<void> => {
    const { status, headers } = await exchange.head();
    if (status !== 200) throw protocolFault(`the tool server answered HTTP ${status}`, { status });
    for await (const event of readEvents(exchange, headers, maxBytes, receiver)) {
      if (event.kind === "message") await exchange.hold(receiver.received(event.message));
      else if (event.name === "endpoint") endpoint.resolve(endpointPath(url, event.data));
    }
  };
  read()
    .then(
      () => upstreamFault("UPSTREAM_UNAVAILABLE", "the tool server ended the connection", true),
      (thrown: unknown) => asCmcpError(thrown, "INTERNAL", "the tool server's stream could not be read"),
    )
    .then((why) => {
      exchange.abandon();
      endpoint.reject(why);
      closed.resolve(why);
    })
    .catch(closed.reject);
  return { endpoint: endpoint.promise, closed: closed.promise };
}

/** Waits until the server has said where to post to. @throws CmcpError `UPSTREAM_TIMEOUT`, or what the signal was aborted with */
async function postingPath({ endpoint }: ServerStream, signal: AbortSignal): Promise<string> {
  try {
    return await raceAbort(endpoint, signal);
  } catch (thrown) {
    throw asCmcpError(thrown, "UPSTREAM_TIMEOUT", "the tool server did not say where to post to");
  }
}

/** Posts one message, and waits until the server has taken it. */
async function post(posts: Exchanges, text: string, over: AbortSignal, caller: ExchangeCaller): Promise<void> {
  const scope = new AbortScope(over, caller.signal);
  try {
    const posted = posts.post({}, text, { ...caller, signal: scope.signal });
    const { status } = await posted.head();
    posted.release(posts.limits.idleMs);
    if (status >= 300) throw protocolFault(`the tool server answered a message with HTTP ${status}`, { status });
  } finally {
    scope.release();
  }
}

/**
 * The transport of MCP 2024-11-05 ("HTTP with SSE"): the server's messages on one event stream, whose first event says
 * where ours are posted.
 */
export function httpSse(options: UpstreamOptions, closing: AbortSignal): OpenChannel {
  const limits: UpstreamLimits = { ...DEFAULT_UPSTREAM_LIMITS, ...options.limits };
  const pool = createPool(options, limits, closing, limits.maxConnections);
  // Connections of their own for what stays open, so that no message waits for them.
  const standing = createPool(options, limits, closing, MAX_STREAMS);
  const server = endpointOf(options);
  const streams = new Exchanges(standing, server, { ...listeningLimits(limits), maxExchanges: MAX_STREAMS });
  closing.addEventListener("abort", () => void Promise.all([pool.destroy(), standing.destroy()]), { once: true });
  return async (receiver, signal) => {
    const ending = new AbortController();
    const over = AbortSignal.any([closing, ending.signal]);
    // Answers come on the stream, so its other end counts as the server of each request.
    let streaming: ServerAuthentication | null = null;
    const authenticated = (server: ServerAuthentication): void => void (streaming = server);
    const stream = readStream(
      streams.get({}, { signal: over, authenticated }),
      receiver,
      options.url,
      limits.maxResponseBytes,
    );
    try {
      const posts = new Exchanges(pool, { ...server, path: await postingPath(stream, signal) }, limits);
      return {
        closed: stream.closed,
        send: async (text, caller) => {
          if (streaming !== null) caller.authenticated?.(streaming);
          await post(posts, text, over, caller);
        },
        close: async () => ending.abort(new CmcpError("UPSTREAM_UNAVAILABLE", "the connection was closed")),
      };
    } catch (thrown) {
      ending.abort(thrown);
      throw thrown;
    }
  };
}
