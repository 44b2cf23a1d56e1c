import { BufferedBytes, CmcpError } from "@cmcp/boundary";
import { HttpExchange } from "./exchange.ts";
import { DEFAULT_UPSTREAM_LIMITS, type Dial, type UpstreamLimits, type UpstreamTls } from "./options.ts";
import { createPool } from "./pool.ts";
import type { Pool } from "./undici.ts";

/** Bounds on what is fetched beside MCP: small documents, soon. */
const LIMITS: UpstreamLimits = {
  ...DEFAULT_UPSTREAM_LIMITS,
  headersMs: 10_000,
  idleMs: 10_000,
  totalMs: 20_000,
  maxResponseBytes: 256 * 1024,
  maxConnections: 8,
};

/** A request, as `fetch` takes it. */
interface FetchInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string | URLSearchParams | null;
  readonly signal?: AbortSignal | null;
}

/** Statuses of a response without a body (Fetch standard, "null body status"). */
const NO_BODY: readonly number[] = [204, 205, 304];
/** For requests that nobody takes back. */
const NEVER = new AbortController().signal;

/** `fetch` to a fixed set of origins, each authenticated as its owner approved it. It follows no redirect. */
export class OriginFetch {
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #buffered = new BufferedBytes();

  /** @param origins how the server of each origin is known */
  constructor(origins: ReadonlyMap<string, UpstreamTls>, dial: Dial, closing: AbortSignal) {
    const clientInfo = { name: "", version: "" };
    this.#pools = new Map(
      Array.from(origins, ([origin, tls]) => [
        origin,
        createPool({ url: new URL(origin), dial, tls, clientInfo }, LIMITS, closing, LIMITS.maxConnections),
      ]),
    );
    closing.addEventListener("abort", () => void this.#close(), { once: true });
  }

  /** @throws CmcpError `AUTHORIZATION_SERVER_NOT_ALLOWED` for any other origin; a fault as of a tool server */
  async fetch(url: string, { method, headers, body, signal }: FetchInit): Promise<Response> {
    const { origin, pathname, search } = new URL(url);
    const pool = this.#pools.get(origin);
    if (pool === undefined)
      throw new CmcpError("AUTHORIZATION_SERVER_NOT_ALLOWED", `${origin} is not an origin that the catalog names`);
    const request = {
      method: method === "GET" ? ("GET" as const) : ("POST" as const),
      path: pathname + search,
      headers: { ...headers, "accept-encoding": "identity" },
      body: body?.toString() ?? null,
    };
    const buffered = this.#buffered.share(origin);
    const exchange = new HttpExchange(pool, request, { limits: LIMITS, caller: { signal: signal ?? NEVER }, buffered });
    const head = await exchange.head();
    const fields = Object.entries(head.headers).map(([name, value]): [string, string] => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]);
    if (NO_BODY.includes(head.status)) exchange.abandon();
    return new Response(NO_BODY.includes(head.status) ? null : bodyOf(exchange), {
      status: head.status,
      headers: fields,
    });
  }

  async #close(): Promise<void> {
    await Promise.all(Array.from(this.#pools.values(), (pool) => pool.destroy()));
  }
}

/** The rest of an answer; what holds it is let go when it has ended or nobody wants it. */
function bodyOf(exchange: HttpExchange): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull: async (controller) => {
      const chunk = await exchange.read();
      if (chunk !== null) return controller.enqueue(chunk);
      exchange.abandon();
      controller.close();
    },
    cancel: () => exchange.abandon(),
  });
}
