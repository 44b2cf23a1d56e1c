import type { BufferShare } from "@cmcp/boundary";
import type { Dispatcher } from "undici";
import { HttpExchange } from "./exchange.ts";
import { upstreamFault } from "./fault.ts";
import type { UpstreamLimits } from "./options.ts";

/** How long an answered event stream may take to end before its connection is given up. */
export const DRAIN_MS = 1_000;

/** HTTP exchanges with one endpoint of a tool server, bounded in number. */
export class Exchanges {
  readonly limits: UpstreamLimits;
  readonly #dispatcher: Dispatcher;
  readonly #path: string;
  readonly #credential: (() => string) | undefined;
  readonly #share: () => BufferShare;
  #running = 0;

  /**
   * @param share of what the gateway holds, for one exchange
   * @param credential see {@link UpstreamOptions.credential}
   */
  constructor(
    dispatcher: Dispatcher,
    path: string,
    limits: UpstreamLimits,
    share: () => BufferShare,
    credential?: () => string,
  ) {
    this.#share = share;
    this.#credential = credential;
    this.#dispatcher = dispatcher;
    this.#path = path;
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
    signal: AbortSignal,
    limits: UpstreamLimits = this.limits,
  ): HttpExchange {
    return this.#open("POST", { ...headers, "content-type": "application/json" }, body, signal, limits);
  }

  /** Opens an event stream of its own, or goes on with one that broke off. @throws CmcpError `OVERLOADED` beyond the limit. */
  get(
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    limits: UpstreamLimits = this.limits,
  ): HttpExchange {
    return this.#open("GET", { ...headers, accept: "text/event-stream" }, null, signal, limits);
  }

  /** Asks for the end of a session. @throws CmcpError `OVERLOADED` beyond the limit. */
  delete(headers: Readonly<Record<string, string>>, signal: AbortSignal): HttpExchange {
    return this.#open("DELETE", headers, null, signal, this.limits);
  }

  #open(
    method: "POST" | "DELETE" | "GET",
    headers: Readonly<Record<string, string>>,
    body: string | null,
    signal: AbortSignal,
    limits: UpstreamLimits,
  ): HttpExchange {
    if (this.#running >= this.limits.maxExchanges) {
      throw upstreamFault("OVERLOADED", "too many requests to this tool server", false);
    }
    const all = {
      accept: "application/json, text/event-stream",
      "accept-encoding": "identity",
      ...headers,
      ...(this.#credential === undefined ? {} : { authorization: `Bearer ${this.#credential()}` }),
    };
    const exchange = new HttpExchange(
      this.#dispatcher,
      { method, path: this.#path, headers: all, body },
      limits,
      signal,
      this.#share(),
    );
    this.#running += 1;
    void exchange.closed.then(() => (this.#running -= 1));
    return exchange;
  }
}
