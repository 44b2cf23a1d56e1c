import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler, type NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import {
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
} from "@modelcontextprotocol/server";
import { LegacyReferenceServer } from "./legacy.ts";
import { modernReferenceServer } from "./modern.ts";

/** Versions the suite is run for, and the official SDK that serves each. */
export type SuiteVersion = "2025-11-25" | "2026-07-28";

/** A running reference server. */
export interface ReferenceServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts the reference server of one version on a loopback port. It speaks that version's era and no other. */
export async function startReferenceServer(version: SuiteVersion): Promise<ReferenceServer> {
  const served = version === "2026-07-28" ? modernReferenceServer() : new LegacyReferenceServer();
  // MCP, "Security Warning" of the transport: a server on loopback answers only those who address it so.
  const fetch = async (request: Request): Promise<Response> =>
    hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins()) ??
    (await served.fetch(request));
  const handler = toNodeHandler({ fetch });
  const server: Server = createServer(
    (incoming, outgoing) => void handler(incoming as NodeIncomingMessageLike, outgoing),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    close: async () => {
      await served.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
