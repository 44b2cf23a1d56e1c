import type { Duplex } from "node:stream";
import type { JsonObject } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import { UpstreamClient, type Peer, type UpstreamAnswer, type UpstreamLimits, type UpstreamRequest } from "@cmcp/mcp";
import { GATEWAY_VERSION } from "./version.ts";

type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>;

/** Key of the gateway's own session with a server; session ids are UUIDs, so it is nobody's. */
const OWN_SESSION = "gateway";

/** One client per tool server of the catalog, made on first use. */
export class Upstreams {
  readonly #dial: Dial;
  readonly #limits: Partial<UpstreamLimits>;
  readonly #clients = new Map<string, UpstreamClient>();

  constructor(dial: Dial, limits: Partial<UpstreamLimits>) {
    this.#dial = dial;
    this.#limits = limits;
  }

  /** Sends a request on behalf of one session. Errors say in `detail.sent` whether it can have reached the server. */
  async request(server: CatalogServer, sessionId: string, request: UpstreamRequest, peer: Peer): Promise<UpstreamAnswer> {
    return await this.#client(server).request(sessionId, request, peer);
  }

  /** A server's live tools, read in a session of the gateway's own. */
  async listTools(server: CatalogServer, signal: AbortSignal): Promise<JsonObject[]> {
    return await this.#client(server).listTools(OWN_SESSION, signal);
  }

  /** Ends the session's MCP sessions on every server it used; failures there change nothing here. */
  async closeSession(sessionId: string): Promise<void> {
    await Promise.allSettled([...this.#clients.values()].map((client) => client.closeSession(sessionId)));
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#clients.values()].map((client) => client.close()));
  }

  #client(server: CatalogServer): UpstreamClient {
    const known = this.#clients.get(server.identity);
    if (known !== undefined) return known;
    const client = new UpstreamClient({
      url: server.url,
      dial: this.#dial,
      tls: server.pin === null ? { mode: "none" } : { mode: "pinned", spkiSha256: server.pin },
      clientInfo: { name: "cmcp-gateway", version: GATEWAY_VERSION },
      limits: this.#limits,
    });
    this.#clients.set(server.identity, client);
    return client;
  }
}
