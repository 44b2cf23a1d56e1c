import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { CmcpError } from "@cmcp/boundary";
import { Hono } from "hono";
import { errorBody } from "./error-reply.ts";
import { forward, type Forwarding } from "./forward.ts";
import { FORWARDED_ROUTES } from "./routes.ts";

/** Milliseconds between looks for connections that have become idle while closing. */
const SWEEP_MS = 20;

/** The agent's endpoint, listening. */
export interface Front {
  readonly address: { readonly host: string; readonly port: number };
  /** Stops listening, lets open responses finish for `drainMs`, then cuts what is left. */
  close(): Promise<void>;
}

/**
 * Starts the HTTP endpoint. Forwarded paths become exchanges; `GET /health` is answered here and says that
 * this process lives and whether it reaches the enclave, which is all the host knows.
 * @throws LISTEN_ADDRESS_UNAVAILABLE when the address cannot be bound
 */
export async function startFront(listen: { host: string; port: number }, forwarding: Forwarding): Promise<Front> {
  const { limits } = forwarding;
  const app = new Hono<{ Bindings: HttpBindings }>();
  for (const route of FORWARDED_ROUTES) {
    app.all(route, async (context) => {
      const { incoming, outgoing } = context.env;
      await forward({ incoming, outgoing, route, path: context.req.path }, forwarding);
      return RESPONSE_ALREADY_SENT;
    });
  }
  app.get("/health", (context) => context.json({ status: "ok", enclave: forwarding.link.state }));
  app.notFound((context) => jsonError(new CmcpError("NOT_FOUND", "there is nothing at this path"), context.req.path));
  app.onError(() => jsonError(new CmcpError("INTERNAL", "the host failed to answer"), ""));

  const listener = getRequestListener(app.fetch, {
    hostname: listen.host,
    overrideGlobalObjects: false,
    errorHandler: () =>
      jsonError(new CmcpError("MCP_INVALID_REQUEST", "the request target or Host header is invalid"), ""),
  });
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersMs),
      noDelay: true,
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  server.maxConnections = limits.connections;
  server.maxHeadersCount = limits.headerCount;
  await listening(server, listen);
  const { address, port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return { address: { host: address, port }, close: () => (closing ??= closeServer(server, limits.drainMs)) };
}

function jsonError(error: CmcpError, route: string): Response {
  return new Response(errorBody(error, route), {
    status: error.httpStatus,
    headers: { "content-type": "application/json" },
  });
}

function listening(server: Server, listen: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void =>
      reject(new CmcpError("LISTEN_ADDRESS_UNAVAILABLE", `cannot listen on ${listen.host}:${listen.port}`, { cause }));
    server.once("error", failed).listen(listen.port, listen.host, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

function closeServer(server: Server, drainMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const cut = setTimeout(() => server.closeAllConnections(), drainMs);
    // A kept-alive connection whose last response has just ended would else stay for its whole idle time.
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
    server.close((error) => {
      clearTimeout(cut);
      clearInterval(sweep);
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}
