import { CmcpError } from "@cmcp/boundary";
import { createConnector, type Destination } from "./connector.ts";
import { PIN_BYTES } from "./identity.ts";
import type { Connection, ServerAuthentication } from "./authentication.ts";
import type { UpstreamLimits, UpstreamOptions } from "./options.ts";
import { Client, Pool, type Dispatcher } from "./undici.ts";

function pinsOf(tls: UpstreamOptions["tls"]): readonly Uint8Array[] {
  switch (tls.mode) {
    case "pinned":
      return [tls.spkiSha256];
    case "chain":
      return tls.issuerPins;
    case "none":
      return [];
  }
}

function destination(options: UpstreamOptions, limits: UpstreamLimits): Destination {
  const { url, tls, dial } = options;
  if (pinsOf(tls).some(({ byteLength }) => byteLength !== PIN_BYTES)) {
    throw new CmcpError("CATALOG_INVALID", `a key pin has ${PIN_BYTES} bytes`);
  }
  if (url.protocol !== (tls.mode === "none" ? "http:" : "https:")) {
    throw new CmcpError("CATALOG_INVALID", "a server's URL is https: where it is known over TLS, and http: otherwise");
  }
  if (url.username !== "" || url.password !== "")
    throw new CmcpError("CATALOG_INVALID", "a server's URL carries no credentials");
  const port = url.port === "" ? (tls.mode === "none" ? 80 : 443) : Number(url.port);
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port, dial, tls, connectMs: limits.connectMs };
}

/** What of a request wants to know which connection it is for. */
interface ConnectionHandler extends Dispatcher.DispatchHandler {
  dispatched?(connection: Connection): void;
}

/** A connection that tells each request of itself before the request is under way. */
class ServerConnection extends Client implements Connection {
  authentication: ServerAuthentication | null = null;

  constructor(origin: URL, options: object, to: Destination, closing: AbortSignal) {
    super(origin, {
      ...options,
      connect: createConnector(to, closing, (found) => {
        this.authentication = found;
      }),
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: ConnectionHandler): boolean {
    handler.dispatched?.(this);
    return super.dispatch(options, handler);
  }
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
  const to = destination(options, limits);
  return new Pool(options.url.origin, {
    factory: (origin, settings) => new ServerConnection(origin, settings, to, closing),
    connections,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: limits.maxHeaderBytes,
    // HttpExchange keeps the time: to the millisecond, and with the reason.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
