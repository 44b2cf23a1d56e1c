import { CmcpError } from "@cmcp/boundary";
import { createConnector } from "./connector.ts";
import { PIN_BYTES } from "./identity.ts";
import type { UpstreamLimits, UpstreamOptions } from "./options.ts";
import { Pool } from "./undici.ts";

function destination(options: UpstreamOptions, limits: UpstreamLimits): Parameters<typeof createConnector>[0] {
  const { url, tls, dial } = options;
  if (tls.mode === "pinned" && tls.spkiSha256.byteLength !== PIN_BYTES) {
    throw new CmcpError("CATALOG_INVALID", `a server's key pin has ${PIN_BYTES} bytes`);
  }
  if (url.protocol !== (tls.mode === "pinned" ? "https:" : "http:")) {
    throw new CmcpError("CATALOG_INVALID", "a server's URL is https: with a key pin, and http: without one");
  }
  if (url.username !== "" || url.password !== "")
    throw new CmcpError("CATALOG_INVALID", "a server's URL carries no credentials");
  const port = url.port === "" ? (tls.mode === "pinned" ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port, dial, tls, connectMs: limits.connectMs };
}

/**
 * Connections to a tool server, opened through `dial` alone.
 * @throws CmcpError `CATALOG_INVALID` for a URL and TLS mode that do not go together
 */
export function createPool(
  options: UpstreamOptions,
  limits: UpstreamLimits,
  closing: AbortSignal,
  connections: number,
): Pool {
  return new Pool(options.url.origin, {
    connect: createConnector(destination(options, limits), closing),
    connections,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: limits.maxHeaderBytes,
    // HttpExchange keeps the time: to the millisecond, and with the reason.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
