import type { Duplex } from "node:stream";
import type { BufferedBytes, JsonObject } from "@cmcp/boundary";
import type { CatalogServer, RemoteServer } from "@cmcp/catalog";
import {
  ChannelClient,
  LongLivedConnections,
  UpstreamClient,
  httpSse,
  legacyServerPeer,
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

/** Key of the gateway's own session with a server. It is no UUID, so it cannot be a session id. */
const OWN_SESSION = "gateway";

/** What {@link Upstreams} need. */
export interface UpstreamsOptions {
  readonly dial: Dial;
  readonly stdio: Pick<StdioServers, "processes" | "indexOf" | "evidenceOf" | "close">;
  readonly credentials: Pick<Credentials, "value">;
  readonly buffered: BufferedBytes;
  readonly limits: Partial<UpstreamLimits>;
}

/** The subscriptions of a session at a server, and who gets the updates. */
export interface UpdateListener {
  /** The URIs, read whenever a stream is opened. */
  readonly uris: () => readonly string[];
  readonly notified: NotificationHandler;
  readonly signal: AbortSignal;
}

/** A new subscription. */
export interface NewSubscription {
  readonly request: UpstreamRequest;
  /** The session's other subscriptions at the server. */
  readonly followed: readonly string[];
}

/** The session that a server is asked for. */
export interface SessionRef {
  readonly id: string;
  readonly principalId: string;
}

/** The holder of slots: the principal, or the gateway itself for each server. */
function holderOf(server: CatalogServer, session: SessionRef | null): string {
  return session === null ? `${OWN_SESSION}:${server.identity}` : `principal:${session.principalId}`;
}

/**
 * The key of a session with a server. Network servers have a session for each session here. A stdio server is a process
 * of one principal.
 */
function keyOf(server: CatalogServer, session: SessionRef | null): string {
  const holder = holderOf(server, session);
  if (server.transport === "stdio") return holder;
  const id = session?.id ?? OWN_SESSION;
  return server.transport === "http-sse" ? `${id} ${holder}` : id;
}

/** The holder in the key of a session with an http-sse server. Ids contain no space. */
function holderIn(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}

/** The era of a server, if the catalog fixes it. */
function eraOf({ settings }: RemoteServer): Pick<UpstreamOptions, "era"> {
  return settings === undefined || settings.era === "auto" ? {} : { era: settings.era };
}

/** One client for each tool server of the catalog, created on first use. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #clients = new Map<string, { readonly server: CatalogServer; readonly client: Upstream }>();
  readonly #closing = new AbortController();
  /** Connections of servers whose sessions each hold a stream. */
  readonly #standing = new LongLivedConnections();

  constructor(options: UpstreamsOptions) {
    this.#options = options;
  }

  /** The load of all servers together. */
  get load(): UpstreamLoad {
    const loads = [...this.#clients.values()].map(({ client }) => client.load);
    const total = (of: keyof UpstreamLoad): number => loads.reduce((sum, load) => sum + load[of], 0);
    return { requests: total("requests"), streams: total("streams"), unattributed: total("unattributed") };
  }

  /** Sends a request for one session. Errors say in `detail.sent` whether the request may have reached the server. */
  async request(
    server: CatalogServer,
    session: SessionRef,
    request: UpstreamRequest,
    peer: Peer,
  ): Promise<UpstreamAnswer> {
    // Channels speak the legacy era only. Over HTTP the client detects the era.
    return await this.#client(server).request(
      keyOf(server, session),
      request,
      server.transport === "streamable-http" ? peer : legacyServerPeer(peer),
    );
  }

  /** Reads a live list of a server, in the gateway's own session. */
  async list(server: CatalogServer, kind: ListKind, signal: AbortSignal): Promise<JsonObject[]> {
    return await this.#client(server).list(keyOf(server, null), kind, signal);
  }

  /** Listens for list changes of a server until the client is closed. Never throws. */
  async watch(server: CatalogServer, notified: NotificationHandler): Promise<void> {
    await this.#client(server).listen(
      keyOf(server, null),
      { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true, resourceSubscriptions: [] },
      notified,
      this.#closing.signal,
    );
  }

  /**
   * Subscribes a session to a resource at its server.
   * @throws CmcpError `UPSTREAM_CALL_REFUSED` if the server refuses; otherwise as {@link request}
   */
  async subscribe(
    server: CatalogServer,
    session: SessionRef,
    { request, followed }: NewSubscription,
    peer: Peer,
  ): Promise<void> {
    const client = this.#client(server);
    if (client instanceof UpstreamClient) await client.subscribe(keyOf(server, session), request, followed, peer);
    else await client.request(keyOf(server, session), request, peer);
  }

  /** Whether a server sends all updates of a session on one stream and refuses a second one, as over HTTP in the legacy era. */
  usesOneStream(server: CatalogServer): boolean {
    const client = this.#client(server);
    return client instanceof UpstreamClient && client.era === "legacy";
  }

  /** Listens for updates of the resources that a session subscribes to. Never throws. */
  async follow(server: CatalogServer, session: SessionRef, { uris, notified, signal }: UpdateListener): Promise<void> {
    // A getter, so that a reopened stream has the present subscriptions.
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

  /** Ends the session's MCP sessions on every server that it used. Failures are ignored. */
  async closeSession(session: SessionRef): Promise<void> {
    const used = [...this.#clients.values()];
    await Promise.allSettled(used.map(({ server, client }) => client.closeSession(keyOf(server, session))));
  }

  /** Unsubscribes a session from a resource at its server. Never throws. */
  async unfollow(server: CatalogServer, session: SessionRef, uri: string): Promise<void> {
    await this.#client(server).unsubscribe(keyOf(server, session), uri);
  }

  /** The evidence class of a server, for entries. */
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
