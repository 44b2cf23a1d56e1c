import type { BufferShare } from "@cmcp/boundary";
import { AuthorizedDispatch, type Dispatch, type RequestAuthorization } from "./authorization.ts";
import { HttpExchange, type ExchangeCaller, type HttpRequest } from "./exchange.ts";
import { upstreamFault } from "./fault.ts";
import { sharesOf, type UpstreamLimits, type UpstreamOptions } from "./options.ts";

/** How long an answered event stream may take to end before its connection is given up. */
export const DRAIN_MS = 1_000;

/** What requests are sent to. */
export interface Endpoint {
  /** Path and query of its URL. */
  readonly path: string;
  /** Makes what one exchange may hold, as a share of what the gateway holds. */
  readonly share: () => BufferShare;
  /** See {@link UpstreamOptions.credential}. */
  readonly credential: (() => string) | undefined;
  /** See {@link UpstreamOptions.authorization}, with the origin that it is for. */
  readonly authorization: { readonly origin: string; readonly by: RequestAuthorization } | undefined;
}

/** The MCP endpoint of a tool server. */
export function endpointOf(options: UpstreamOptions): Endpoint {
  const { url, credential, authorization: by } = options;
  return {
    path: url.pathname + url.search,
    share: sharesOf(options),
    credential,
    authorization: by === undefined ? undefined : { origin: url.origin, by },
  };
}

/** A request, without what every request to the endpoint has. */
type EndpointRequest = Pick<HttpRequest, "method" | "body"> & { readonly headers: Readonly<Record<string, string>> };

/** HTTP exchanges with one endpoint of a tool server, bounded in number. */
export class Exchanges {
  readonly limits: UpstreamLimits;
  readonly #dispatcher: Dispatch;
  readonly #endpoint: Endpoint;
  #running = 0;

  constructor(dispatcher: Dispatch, endpoint: Endpoint, limits: UpstreamLimits) {
    const { authorization } = endpoint;
    this.#dispatcher =
      authorization === undefined
        ? dispatcher
        : new AuthorizedDispatch(dispatcher, authorization.origin, authorization.by);
    this.#endpoint = endpoint;
    this.limits = limits;
  }

  /** Exchanges that run or wait for a connection. */
  get running(): number {
    return this.#running;
  }

  /** POSTs one JSON-RPC message. @throws CmcpError `OVERLOADED` beyond the limit. */
  post(
    headers: Readonly<Record<string, string>>,
    body: string,
    caller: ExchangeCaller,
    limits: UpstreamLimits = this.limits,
  ): HttpExchange {
    return this.#open(
      { method: "POST", headers: { ...headers, "content-type": "application/json" }, body },
      caller,
      limits,
    );
  }

  /** Opens an event stream of its own, or goes on with one that broke off. @throws CmcpError `OVERLOADED` beyond the limit. */
  get(
    headers: Readonly<Record<string, string>>,
    caller: ExchangeCaller,
    limits: UpstreamLimits = this.limits,
  ): HttpExchange {
    return this.#open(
      { method: "GET", headers: { ...headers, accept: "text/event-stream" }, body: null },
      caller,
      limits,
    );
  }

  /** Asks for the end of a session. @throws CmcpError `OVERLOADED` beyond the limit. */
  delete(headers: Readonly<Record<string, string>>, caller: ExchangeCaller): HttpExchange {
    return this.#open({ method: "DELETE", headers, body: null }, caller, this.limits);
  }

  #open({ method, headers, body }: EndpointRequest, caller: ExchangeCaller, limits: UpstreamLimits): HttpExchange {
    if (this.#running >= this.limits.maxExchanges) {
      throw upstreamFault("OVERLOADED", "too many requests to this tool server", false);
    }
    const { path, share, credential } = this.#endpoint;
    const all = {
      accept: "application/json, text/event-stream",
      "accept-encoding": "identity",
      ...headers,
      ...(credential === undefined ? {} : { authorization: `Bearer ${credential()}` }),
    };
    const exchange = new HttpExchange(
      this.#dispatcher,
      { method, path, headers: all, body },
      { limits, caller, buffered: share() },
    );
    this.#running += 1;
    void exchange.closed.then(() => (this.#running -= 1));
    return exchange;
  }
}
