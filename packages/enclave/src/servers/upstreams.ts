import type { Duplex } from "node:stream";
import type { BufferedBytes, JsonObject } from "@cmcp/boundary";
import type { CatalogServer, RemoteServer } from "@cmcp/catalog";
import {
  ChannelClient,
  LongLivedConnections,
  UpstreamClient,
  httpSse,
  legacyPeer,
  type Upstream,
  type ListKind,
  type NotificationHandler,
  type Peer,
  type UpstreamAnswer,
  type UpstreamLimits,
  type UpstreamLoad,
  type UpstreamOptions,
  type UpstreamRequest,
} from "@cmcp/mcp";
import type { Credentials } from "./credentials.ts";
import type { StdioServers } from "./stdio/servers.ts";
import { StdioUpstream } from "./stdio/upstream.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";

type EvidenceClass = CatalogServer["evidenceClass"];
type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>;

/** Key of the gateway's own session with a server; session ids are UUIDs, so it is nobody's. */
const OWN_SESSION = "gateway";

/** What {@link Upstreams} work with. */
export interface UpstreamsOptions {
  readonly dial: Dial;
  readonly stdio: Pick<StdioServers, "processes" | "indexOf" | "evidenceOf" | "close">;
  readonly credentials: Pick<Credentials, "value">;
  readonly buffered: BufferedBytes;
  readonly limits: Partial<UpstreamLimits>;
}

/** What a session follows at a server, and who hears of it. */
export interface Follow {
  /** As it is whenever a stream is opened. */
  readonly uris: () => readonly string[];
  readonly notified: NotificationHandler;
  readonly signal: AbortSignal;
}

/** A resource that a server is to tell of. */
export interface Subscribe {
  readonly request: UpstreamRequest;
  /** What the session follows there already. */
  readonly followed: readonly string[];
}

/** On whose behalf a server is asked. */
export interface OnBehalfOf {
  readonly id: string;
  readonly principalId: string;
}

/** Whose slots a session with a server takes: a principal's, or, for each server apart, the gateway's own. */
function holderOf(server: CatalogServer, session: OnBehalfOf | null): string {
  return session === null ? `${OWN_SESSION}:${server.identity}` : `principal:${session.principalId}`;
}

/** Servers on the network know sessions; a stdio server is a process, which belongs to a principal. */
function keyOf(server: CatalogServer, session: OnBehalfOf | null): string {
  const holder = holderOf(server, session);
  if (server.transport === "stdio") return holder;
  const id = session?.id ?? OWN_SESSION;
  return server.transport === "http-sse" ? `${id} ${holder}` : id;
}

/** The holder that the key of a session with an http-sse server names: ids hold no space. */
function holderIn(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}

/** The era the catalog holds a server to, if it does. */
function eraOf({ settings }: RemoteServer): Pick<UpstreamOptions, "era"> {
  return settings === undefined || settings.era === "auto" ? {} : { era: settings.era };
}

/** One client per tool server of the catalog, made on first use. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #clients = new Map<string, { readonly server: CatalogServer; readonly client: Upstream }>();
  readonly #closing = new AbortController();
  /** Of all servers whose sessions each hold a stream. */
  readonly #standing = new LongLivedConnections();

  constructor(options: UpstreamsOptions) {
    this.#options = options;
  }

  /** What is under way with all servers together. */
  get load(): UpstreamLoad {
    const loads = [...this.#clients.values()].map(({ client }) => client.load);
    const total = (of: keyof UpstreamLoad): number => loads.reduce((sum, load) => sum + load[of], 0);
    return { requests: total("requests"), streams: total("streams"), unattributed: total("unattributed") };
  }

  /** Sends a request on behalf of one session. Errors say in `detail.sent` whether it can have reached the server. */
  async request(
    server: CatalogServer,
    session: OnBehalfOf,
    request: UpstreamRequest,
    peer: Peer,
  ): Promise<UpstreamAnswer> {
    // Channels are of the legacy era alone; over HTTP the client knows which era it meets.
    return await this.#client(server).request(
      keyOf(server, session),
      request,
      server.transport === "streamable-http" ? peer : legacyPeer(peer),
    );
  }

  /** What a server lists now, read in a session of the gateway's own. */
  async list(server: CatalogServer, kind: ListKind, signal: AbortSignal): Promise<JsonObject[]> {
    return await this.#client(server).list(keyOf(server, null), kind, signal);
  }

  /** Hears from a server that one of its lists changed, until the client is closed. Never throws. */
  async watch(server: CatalogServer, notified: NotificationHandler): Promise<void> {
    await this.#client(server).listen(
      keyOf(server, null),
      { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true, resourceSubscriptions: [] },
      notified,
      this.#closing.signal,
    );
  }

  /**
   * Asks a server to tell one session of a resource, beside those it {@link follow}s there already.
   * @throws CmcpError the server's refusal as `UPSTREAM_CALL_REFUSED`; as {@link request}
   */
  async subscribe(
    server: CatalogServer,
    session: OnBehalfOf,
    { request, followed }: Subscribe,
    peer: Peer,
  ): Promise<void> {
    const client = this.#client(server);
    if (client instanceof UpstreamClient) await client.subscribe(keyOf(server, session), request, followed, peer);
    else await client.request(keyOf(server, session), request, peer);
  }

  /** Whether a server tells a session of whatever it has subscribed to on one stream, as over HTTP in the legacy era, and refuses another. */
  tellsOnOneStream(server: CatalogServer): boolean {
    const client = this.#client(server);
    return client instanceof UpstreamClient && client.era === "legacy";
  }

  /** Hears from a server that resources changed that one session follows. Never throws. */
  async follow(server: CatalogServer, session: OnBehalfOf, { uris, notified, signal }: Follow): Promise<void> {
    // What is followed then, whenever a stream has to be opened again.
    const filter = {
      toolsListChanged: false,
      promptsListChanged: false,
      resourcesListChanged: false,
      get resourceSubscriptions() {
        return uris();
      },
    };
    await this.#client(server).listen(
      keyOf(server, session),
      filter,
      notified,
      AbortSignal.any([signal, this.#closing.signal]),
    );
  }

  /** Ends the session's MCP sessions on every server it used; failures there change nothing here. */
  async closeSession(session: OnBehalfOf): Promise<void> {
    const used = [...this.#clients.values()];
    await Promise.allSettled(used.map(({ server, client }) => client.closeSession(keyOf(server, session))));
  }

  /** Gives up following a resource that nothing of the session follows any more; see {@link follow}. Never throws. */
  async unfollow(server: CatalogServer, session: OnBehalfOf, uri: string): Promise<void> {
    await this.#client(server).unsubscribe(keyOf(server, session), uri);
  }

  /** How records name what is known about who answers. */
  evidenceOf(server: CatalogServer): EvidenceClass {
    return server.transport === "stdio" ? this.#options.stdio.evidenceOf(server) : server.evidenceClass;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([...this.#clients.values()].map(({ client }) => client.close()));
    await this.#options.stdio.close();
  }

  #client(server: CatalogServer): Upstream {
    const known = this.#clients.get(server.identity);
    if (known !== undefined) return known.client;
    const client = this.#open(server);
    this.#clients.set(server.identity, { server, client });
    return client;
  }

  #credentialOf({ settings }: RemoteServer): Pick<UpstreamOptions, "credential"> {
    const name = settings?.credential ?? null;
    return name === null ? {} : { credential: () => this.#options.credentials.value(name) };
  }

  #open(server: CatalogServer): Upstream {
    const clientInfo = { name: "cmcp-gateway", version: GATEWAY_VERSION };
    if (server.transport === "stdio")
      return new StdioUpstream({
        processes: this.#options.stdio.processes,
        index: this.#options.stdio.indexOf(server),
        clientInfo,
        limits: this.#options.limits,
      });
    const options: UpstreamOptions = {
      url: server.url,
      dial: this.#options.dial,
      tls: server.pin === null ? { mode: "none" } : { mode: "pinned", spkiSha256: server.pin },
      clientInfo,
      limits: this.#options.limits,
      buffered: this.#options.buffered,
      ...eraOf(server),
      ...this.#credentialOf(server),
    };
    if (server.transport === "streamable-http") return new UpstreamClient(options);
    const open = httpSse(options, this.#closing.signal);
    return new ChannelClient({
      open: () => open,
      clientInfo,
      limits: this.#options.limits,
      standing: { connections: this.#standing, holderOf: holderIn },
    });
  }
}
