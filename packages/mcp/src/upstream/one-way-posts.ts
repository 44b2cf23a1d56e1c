import { BufferedBytes } from "@cmcp/boundary";
import { HttpExchange } from "./exchange.ts";
import { DEFAULT_UPSTREAM_LIMITS, type UpstreamLimits, type UpstreamOptions } from "./options.ts";
import { createPool } from "./pool.ts";
import type { Pool } from "./undici.ts";

/** Where messages go that nobody waits for the answer of. */
export interface OneWayPostOptions extends Pick<UpstreamOptions, "url" | "dial" | "tls"> {
  /** Longest time of one message, from its connection to the status of the answer, in milliseconds. */
  readonly totalMs: number;
  /** Most connections at one time. */
  readonly connections: number;
}

/**
 * POSTs messages to one receiver, over connections as those to tool servers. Of an answer its status is read and nothing else, and no
 * redirect is followed.
 */
export class OneWayPosts {
  readonly #path: string;
  readonly #limits: UpstreamLimits;
  readonly #pool: Pool;
  readonly #closing = new AbortController();

  /** @throws CmcpError `CATALOG_INVALID` for a URL and TLS mode that do not go together */
  constructor(options: OneWayPostOptions) {
    const { url, totalMs, connections } = options;
    this.#path = url.pathname + url.search;
    this.#limits = {
      ...DEFAULT_UPSTREAM_LIMITS,
      connectMs: totalMs,
      headersMs: totalMs,
      idleMs: totalMs,
      totalMs,
      // The exchange is dropped at its status, so that no length of the body matters.
      maxResponseBytes: Number.MAX_SAFE_INTEGER,
    };
    this.#pool = createPool(
      { ...options, clientInfo: { name: "", version: "" } },
      this.#limits,
      this.#closing.signal,
      connections,
    );
  }

  /**
   * Sends one message.
   * @returns the status of the answer
   * @throws CmcpError `UPSTREAM_*`, and those of the host's relay
   */
  async post(headers: Readonly<Record<string, string>>, body: string): Promise<number> {
    const exchange = new HttpExchange(
      this.#pool,
      { method: "POST", path: this.#path, headers: { ...headers, "content-type": "application/json" }, body },
      {
        limits: this.#limits,
        caller: { signal: this.#closing.signal },
        buffered: new BufferedBytes().share("one-way"),
      },
    );
    try {
      return (await exchange.head()).status;
    } finally {
      exchange.abandon();
    }
  }

  /** Ends every connection, and whatever is sent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pool.destroy();
  }
}
