import { BufferedBytes, untrusted, type Untrusted } from "@cmcp/boundary";
import { HttpExchange } from "./exchange.ts";
import { protocolFault } from "./fault.ts";
import { DEFAULT_UPSTREAM_LIMITS, type UpstreamLimits, type UpstreamOptions } from "./options.ts";
import { createPool } from "./pool.ts";

/** A document of a server that is known as tool servers are. */
export interface DocumentSource extends Pick<UpstreamOptions, "url" | "dial" | "tls"> {
  readonly maxBytes: number;
  /** Milliseconds from dialling to the last byte. */
  readonly totalMs: number;
}

/**
 * Fetches a document over a connection of its own. Redirections are not followed, and nothing is decoded.
 * @throws CmcpError `UPSTREAM_IDENTITY_MISMATCH`, `UPSTREAM_UNAVAILABLE`, `UPSTREAM_TIMEOUT`, or one of the protocol
 */
export async function fetchDocument(
  { maxBytes, totalMs, ...source }: DocumentSource,
  signal: AbortSignal,
): Promise<Untrusted<Uint8Array>> {
  const limits: UpstreamLimits = {
    ...DEFAULT_UPSTREAM_LIMITS,
    connectMs: totalMs,
    headersMs: totalMs,
    idleMs: totalMs,
    totalMs,
    maxResponseBytes: maxBytes,
    maxConnections: 1,
  };
  const closing = new AbortController();
  const pool = createPool({ ...source, clientInfo: { name: "", version: "" } }, limits, closing.signal, 1);
  const { pathname, search } = source.url;
  const request = {
    method: "GET",
    path: `${pathname}${search}`,
    headers: { accept: "application/json", "accept-encoding": "identity" },
    body: null,
  } as const;
  const buffered = new BufferedBytes().share(`document:${source.url.href}`);
  const exchange = new HttpExchange(pool, request, { limits, caller: { signal }, buffered });
  try {
    const { status, headers } = await exchange.head();
    if (status !== 200) throw protocolFault(`the server answered ${status}`);
    if ((headers["content-encoding"] ?? "identity") !== "identity")
      throw protocolFault("the server's answer has a coding that was not asked for");
    return untrusted(await exchange.readAll());
  } finally {
    exchange.abandon();
    closing.abort();
    await pool.destroy();
  }
}
